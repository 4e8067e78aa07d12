// What the lists of jobs and of sweeps share: filters in the address, counts, rows as they change, what is selected.

import { html, render, type TemplateResult } from "lit-html";
import type { Query } from "../core/api.ts";
import { coalesce } from "../core/coalesce.ts";
import { count } from "../core/format.ts";
import { PHASES, type PageOf, type Phase } from "../core/models.ts";
import { Pages } from "../core/pages.ts";
import { UnreachableError, isAbort, sentenceOf } from "../core/problem.ts";
import { whyUnheard } from "../core/stream.ts";
import type { View } from "../page.ts";
import { Grid, type Column } from "./grid.ts";
import { live, type Change } from "./live.ts";

/** Changes that come while a list is being looked at make it be read again at most so often. */
const REFRESH_MS = 700;

export interface ListingOf<T extends { id: string; status: Phase }> {
  title: string;
  kind: "job" | "sweep";
  path: "/jobs" | "/sweeps";
  columns: readonly Column<T>[];
  open: (row: T) => void;
  /** Whether changes of the other kind show in this list, too. */
  both: boolean;
  counts?: () => Promise<Partial<Record<Phase, number>>>;
  /** More filters, as they are shown. */
  extra?: (listing: Listing<T>) => TemplateResult;
  /** Buttons for what is selected; undefined: nothing can be selected. */
  actions?: (listing: Listing<T>) => TemplateResult;
}

export class Listing<T extends { id: string; status: Phase }> {
  readonly selected = new Set<string>();
  readonly view: View;
  private readonly of: ListingOf<T>;
  private readonly pages: Pages<T>;
  private readonly grid: Grid<T>;
  private readonly bar: HTMLElement;
  private counts: Partial<Record<Phase, number>> = {};
  private problem = "";
  private unheard = "";
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(view: View, of: ListingOf<T>) {
    this.view = view;
    this.of = of;
    this.pages = new Pages<T>(
      (page, size, signal) => view.api.get<PageOf<T>>(of.path, { ...this.filters(), sort: this.sort, page, size }, AbortSignal.any([signal, view.signal])),
      () => {
        this.problem = "";
        this.draw();
      },
      (error) => this.failed(error),
    );
    view.root.classList.add("fills");
    view.root.closest(".place")?.classList.add("fits");
    render(html`<div class="list"><div class="bar"></div><div class="rows-of-list"></div></div>`, view.root);
    const part = (name: string): HTMLElement => view.root.querySelector<HTMLElement>(name) ?? view.root;
    this.bar = part(".bar");
    this.grid = new Grid<T>(part(".rows-of-list"), {
      label: of.title,
      columns: of.columns,
      total: () => this.pages.total,
      row: (index) => this.pages.row(index),
      look: (first, last) => this.pages.look(first, last),
      open: of.open,
      ...(of.actions ? { selected: this.selected, onSelect: () => this.draw() } : {}),
      empty: () => this.empty(),
    }, view.signal);
    document.addEventListener("keydown", this.key, { signal: view.signal });
    const clock = setInterval(() => this.grid.due(), 10_000); // ages grow
    view.signal.addEventListener("abort", () => {
      clearInterval(clock);
      clearTimeout(this.timer);
    });
    live(view.api, {
      onChanges: this.changed,
      onConnection: (now) => {
        this.unheard = whyUnheard(now);
        this.draw();
      },
      signal: view.signal,
      query: { namespace: this.namespace },
    });
    this.draw();
    this.count();
  }

  get total(): number | undefined {
    return this.pages.total;
  }

  get namespace(): string {
    return this.view.query.get("namespace") ?? "";
  }

  get statuses(): string[] {
    return this.view.query.getAll("status");
  }

  get sort(): string {
    return this.view.query.get("sort") === "created" ? "created" : "-created";
  }

  /** The filters as the API takes them. */
  filters(): Query {
    const { query } = this.view;
    return { status: this.statuses, label: query.getAll("label"), namespace: this.namespace, sweep: query.get("sweep"), since: query.get("since") };
  }

  get isFiltered(): boolean {
    return ["status", "label", "namespace", "sweep", "since"].some((name) => this.view.query.has(name));
  }

  /** Change filters or order: the address changes, and the list begins anew. */
  change(change: Record<string, string | string[] | undefined>): void {
    this.view.setQuery(change);
    for (const [name, value] of Object.entries(change)) {
      this.view.query.delete(name);
      for (const one of Array.isArray(value) ? value : [value]) if (one) this.view.query.append(name, one);
    }
    this.selected.clear();
    this.pages.clear();
    this.problem = "";
    this.grid.top();
    this.draw();
    if ("namespace" in change) this.view.go(this.of.kind === "job" ? "jobs" : "sweeps", Object.fromEntries([...new Set(this.view.query.keys())].map((name) => [name, this.view.query.getAll(name)])));
  }

  /** Read again what is shown. */
  refresh = (): void => {
    this.pages.refresh();
    this.grid.due();
    this.count();
  };

  draw = (): void => {
    this.grid?.due();
    if (this.bar) render(this.toolbar(), this.bar);
  };

  private changed = (changes: Change[] | undefined): void => {
    const ours = changes?.filter((one) => one.kind === this.of.kind || this.of.both);
    if (ours?.length === 0) return;
    for (const change of ours ?? []) {
      if (change.kind === this.of.kind && change.now) this.pages.replace(change.now as unknown as T);
    }
    this.grid.due();
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.refresh();
    }, changes ? REFRESH_MS : 0);
  };

  private readonly count = coalesce(async () => {
    if (!this.of.counts) return;
    try {
      this.counts = await this.of.counts();
      this.draw();
    } catch {
      // The list itself says what is wrong.
    }
  });

  private failed(error: unknown): void {
    // That nobody answers is said above the page; what the stream tells when it is back makes the list be read again.
    if (isAbort(error) || error instanceof UnreachableError) return;
    this.problem = sentenceOf(error);
    this.draw();
  }

  private key = (event: KeyboardEvent): void => {
    const { target } = event;
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target instanceof HTMLElement && target.closest("input, textarea, select, dialog")) return;
    event.preventDefault();
    this.view.root.querySelector<HTMLInputElement>("#filter")?.focus();
  };

  private empty(): TemplateResult {
    if (this.isFiltered) return html`Nothing matches these filters. <button class="small" @click=${() => this.reset()}>Clear the filters</button>`;
    return html`There are none yet.`;
  }

  private reset(): void {
    this.change({ status: undefined, label: undefined, sweep: undefined, since: undefined, namespace: undefined });
  }

  private toggle(phase: Phase): void {
    const { statuses } = this;
    this.change({ status: statuses.includes(phase) ? statuses.filter((one) => one !== phase) : [...statuses, phase] });
  }

  private addLabel = (event: SubmitEvent): void => {
    event.preventDefault();
    const field = this.view.root.querySelector<HTMLInputElement>("#filter");
    const text = field?.value.trim() ?? "";
    if (!field || !text) return;
    if (!text.includes("=")) {
      this.view.go(this.of.kind, { id: text });
      return;
    }
    field.value = "";
    this.change({ label: [...new Set([...this.view.query.getAll("label"), text])] });
  };

  private toolbar(): TemplateResult {
    const namespaces = this.view.rights.where("list", this.of.kind === "job" ? "jobs" : "sweeps");
    const { query } = this.view;
    const chips: [string, string, string[] | undefined][] = [
      ...query.getAll("label").map((label): [string, string, string[]] => ["label", label, query.getAll("label").filter((one) => one !== label)]),
      ...["sweep", "since"].filter((name) => query.get(name)).map((name): [string, string, undefined] => [name, `${name} ${query.get(name)}`, undefined]),
    ];
    return html`<div class="toolbar">
        <h1>${this.of.title}</h1>
        <span class="quiet" role="status">${this.pages.total === undefined ? "…" : count(this.pages.total)}</span>
        <span class="grow"></span>
        ${this.of.extra?.(this) ?? ""}
        ${namespaces.length > 1
          ? html`<select aria-label="Namespace" @change=${(event: Event) => this.change({ namespace: (event.target as HTMLSelectElement).value || undefined })}>
              <option value="">All namespaces</option>
              ${namespaces.map((one) => html`<option value=${one} ?selected=${one === this.namespace}>${one}</option>`)}
            </select>`
          : ""}
        <form role="search" @submit=${this.addLabel}>
          <input id="filter" type="search" autocomplete="off" spellcheck="false" placeholder="id, or label=value  ( / )" aria-label="Go to an id, or filter by label=value" />
        </form>
        <button aria-label="Order: ${this.sort === "created" ? "oldest first" : "newest first"}" @click=${() => this.change({ sort: this.sort === "created" ? undefined : "created" })}>
          ${this.sort === "created" ? "Oldest first ↑" : "Newest first ↓"}
        </button>
      </div>
      <div class="toolbar chips">
        ${PHASES.map((phase) => html`<button class="small chip" aria-pressed=${String(this.statuses.includes(phase))} @click=${() => this.toggle(phase)}>
          <span class="status ${phase}">${phase}</span>${this.counts[phase] === undefined ? "" : html`<span class="number">${count(this.counts[phase] ?? 0)}</span>`}
        </button>`)}
        ${chips.map(([name, text, rest]) => html`<button class="small chip" aria-pressed="true" aria-label="Remove the filter ${text}" @click=${() => this.change({ [name]: rest })}>${text} ×</button>`)}
        <span class="grow"></span>
        ${this.of.actions?.(this) ?? ""}
      </div>
      ${this.problem ? html`<p class="problem" role="alert">${this.problem} <button class="small" @click=${this.refresh}>Try again</button></p>` : ""}
      ${this.unheard && !this.problem ? html`<p class="problem" role="alert">${this.unheard}</p>` : ""}`;
  }
}
