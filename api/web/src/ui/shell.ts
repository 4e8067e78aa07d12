// The frame of all pages: navigation, who is signed in, which page is shown, what is said.

import { html, render } from "lit-html";
import { Api } from "../core/api.ts";
import { pauseOf } from "../core/backoff.ts";
import type { Me } from "../core/models.ts";
import { ProblemError, sentenceOf } from "../core/problem.ts";
import { Rights } from "../core/rights.ts";
import { Session, tokenOf } from "../core/session.ts";
import type { LinkQuery, PageEntry, View } from "../page.ts";
import { PAGES, pageOf } from "../registry.ts";
import { API, link, onLinks, pageAt } from "../router.ts";
import { Contact } from "./contact.ts";
import { Notices } from "./notices.ts";
import { showSignIn, signInOver } from "./signin.ts";
import { applyTheme, nextTheme, theme } from "./theme.ts";

const LIVE = "/live";

export class Shell {
  private readonly session = new Session(sessionStorage);
  private readonly api = new Api(API, this.session.token);
  private readonly body: HTMLElement;
  private readonly notices: Notices;
  private rights: Rights | undefined;
  private leaving = new AbortController();
  private shown = "";
  /** The address that is shown: what stands after # in it makes no other page. */
  private address = "";
  private failures = 0;
  private again: ReturnType<typeof setTimeout> | undefined;
  /** Takes the question for a token away that lies over a page. */
  private uncover: (() => void) | undefined;
  private place: HTMLElement;

  constructor(app: HTMLElement) {
    applyTheme();
    const part = (name: string): HTMLElement => {
      const made = document.createElement("div");
      made.className = name;
      return made;
    };
    const [contact, body, notices] = [part("contact-root"), part("body"), part("notices-root")];
    app.replaceChildren(contact, body, notices);
    this.body = body;
    this.place = body;
    this.notices = new Notices(notices);
    const watch = new Contact(contact, this.api, LIVE);
    watch.onBack = () => {
      if (!this.rights) void this.enter();
    };
    this.api.onSignedOut = () => this.refused();
  }

  async start(): Promise<void> {
    onLinks((url) => this.visit(url));
    globalThis.addEventListener("popstate", () => {
      if (here() !== this.address) void this.show();
    });
    await this.enter();
  }

  /** Find out who this is; without a token that is asked for, unless the gateway knows no tokens. */
  private async enter(): Promise<void> {
    clearTimeout(this.again);
    try {
      this.rights = new Rights(await this.api.get<Me>("/me"));
      this.failures = 0;
      await this.show();
    } catch (error) {
      if (error instanceof ProblemError && error.status === 401) return; // onSignedOut has asked
      this.leave();
      render(html`<main id="content" class="center"><p class="problem" role="alert">${sentenceOf(error)}</p></main>`, this.place);
      if (!(error instanceof ProblemError && error.passes)) return; // no answer at all: Contact asks, and says when it is back
      this.failures += 1;
      this.again = setTimeout(() => void this.enter(), 1000 * pauseOf(this.failures, Math.random, error.retryAfter));
    }
  }

  /** The token of the page is not known any more. */
  private refused(): void {
    if (this.uncover) return;
    const why = this.rights ? "The token is no longer valid. Sign in again." : "";
    if (this.rights && pageOf(this.shown)?.keepsInput) this.askOver(why, this.rights.me.name);
    else this.askToken(why);
  }

  /** Ask for a token over the page; for another person it is shown anew. */
  private askOver(why: string, name: string): void {
    this.session.signOut();
    this.uncover = signInOver(async (text) => {
      const me = await this.signIn(text);
      this.uncover?.();
      this.uncover = undefined;
      if (me.name !== name) await this.show();
    }, why);
  }

  /** Try a token, and keep it. Throws an Error that says what is wrong with it. */
  private async signIn(text: string): Promise<Me> {
    const token = tokenOf(text);
    try {
      const me = await new Api(API, () => token).get<Me>("/me");
      this.session.signIn(token);
      this.rights = new Rights(me);
      return me;
    } catch (error) {
      if (error instanceof ProblemError && error.status === 401) throw new Error("The cluster does not take this token.");
      throw error;
    }
  }

  private askToken(why: string): void {
    const hadToken = this.session.token() !== null;
    this.leave();
    this.rights = undefined;
    this.session.signOut();
    document.title = "Sign in – SimOps";
    const root = document.createElement("main");
    root.id = "content";
    root.className = "whole";
    this.place.append(root);
    const submit = async (text: string): Promise<void> => {
      await this.signIn(text);
      await this.show();
    };
    showSignIn(root, submit, why || (hadToken ? "The token is no longer valid." : ""));
  }

  private leave(): void {
    this.leaving.abort();
    this.leaving = new AbortController();
    // A new place each time: lit-html remembers what it has put where.
    this.place = document.createElement("div");
    this.place.className = "place";
    this.body.replaceChildren(this.place);
  }

  private visit(url: URL): void {
    if (url.href !== location.href) history.pushState(null, "", url);
    void this.show();
  }

  /** Show the page of the address. */
  private async show(): Promise<void> {
    if (!this.rights) return;
    this.leave();
    const { signal } = this.leaving;
    this.address = here();
    const name = pageAt(location.pathname);
    const page = pageOf(name);
    const sameName = this.shown === name;
    this.shown = name;
    this.frame(page);
    const root = this.place.querySelector<HTMLElement>("#content");
    if (!root) return;
    if (!sameName) root.focus({ preventScroll: true });
    globalThis.scrollTo(0, 0);
    if (!page) {
      document.title = "Not found – SimOps";
      render(html`<h1>There is no such page</h1><p><a href=${link("jobs")}>Jobs</a></p>`, root);
      return;
    }
    document.title = `${page.title} – SimOps`;
    try {
      const module = await page.load();
      if (!signal.aborted) await module.show(this.view(root, signal));
    } catch (error) {
      if (signal.aborted || (error instanceof ProblemError && error.status === 401)) return;
      this.failed(root, error);
    }
  }

  private failed(root: HTMLElement, error: unknown): void {
    const failure = document.createElement("div");
    root.prepend(failure);
    render(
      html`<p class="problem" role="alert">${sentenceOf(error)}
        <button class="small" @click=${() => void this.show()}>Try again</button></p>`,
      failure,
    );
  }

  private view(root: HTMLElement, signal: AbortSignal): View {
    if (!this.rights) throw new Error("nobody is signed in");
    return {
      root,
      api: this.api,
      rights: this.rights,
      query: new URLSearchParams(location.search),
      signal,
      go: (page: string, query: LinkQuery = {}) => this.visit(new URL(link(page, query), location.origin)),
      setQuery: (change: LinkQuery) => {
        if (signal.aborted) return;
        const url = new URL(location.href);
        for (const [name, value] of Object.entries(change)) {
          url.searchParams.delete(name);
          for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined && one !== "") url.searchParams.append(name, String(one));
        }
        history.replaceState(history.state, "", url);
        this.address = here();
      },
      tell: this.notices.tell,
      title: (text: string) => {
        if (!signal.aborted) document.title = `${text} – SimOps`;
      },
    };
  }

  private frame(page: PageEntry | undefined): void {
    const rights = this.rights;
    if (!rights) return;
    const lit = page?.belongsTo ?? page?.name;
    const entries = PAGES.filter((one) => one.inNavigation?.(rights));
    render(
      html`<a class="skip" href="#content">Skip to the content</a>
        <header class="top">
          <a class="brand" href=${link("jobs")}>SimOps</a>
          <nav aria-label="Pages">
            ${entries.map((one) => html`<a href=${link(one.name)} aria-current=${lit === one.name ? "page" : "false"}>${one.title}</a>`)}
          </nav>
          <span class="who" title=${rights.me.name}>${rights.me.anonymous ? "" : shortName(rights.me.name)}</span>
          <button class="plain" @click=${() => this.turnTheme(page)} title="Colours: ${theme()}">${themeSign()}<span class="hidden">Colours: ${theme()}; change</span></button>
          ${rights.me.anonymous ? "" : html`<button class="plain" @click=${() => this.askToken("")}>Sign out</button>`}
        </header>
        <main id="content" tabindex="-1"></main>`,
      this.place,
    );
  }

  private turnTheme(page: PageEntry | undefined): void {
    applyTheme(nextTheme());
    this.frame(page);
  }
}

function here(): string {
  return location.pathname + location.search;
}

function themeSign(): string {
  return { system: "◐", light: "○", dark: "●" }[theme()];
}

/** `system:serviceaccount:default:alice` is alice. */
function shortName(name: string): string {
  return name.startsWith("system:serviceaccount:") ? (name.split(":").at(-1) ?? name) : name;
}
