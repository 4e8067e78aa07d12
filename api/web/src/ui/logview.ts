// A log: it follows what is printed, is searched, and wraps. Only the rows that are seen are in the page.

import { html, render, type TemplateResult } from "lit-html";
import type { Api } from "../core/api.ts";
import { jobPath } from "../core/api.ts";
import { count } from "../core/format.ts";
import { Lines, MOST_LINES, shownText, type Row } from "../core/lines.ts";
import type { StreamEvent } from "../core/sse.ts";
import { follow, type Connection } from "../core/stream.ts";
import { shownRows } from "../core/window.ts";

const ROW = 18;
const SEARCH_AT_ONCE = 40_000;

export class LogView {
  private readonly api: Api;
  private readonly id: string;
  private readonly signal: AbortSignal;
  private readonly bar: HTMLElement;
  private readonly box: HTMLElement;
  private readonly space: HTMLElement;
  private readonly window: HTMLElement;
  private lines = new Lines();
  private isFollowing = true;
  private isWrapped = false;
  private needle = "";
  private found: number[] = [];
  private searched = 0;
  private current = -1;
  private attempt = "";
  private attempts = 1;
  private part = "";
  /** The attempt whose lines are being told. */
  private begun = 0;
  private state = "Connecting…";
  private isDue = false;
  private stream = new AbortController();

  constructor(root: HTMLElement, api: Api, id: string, signal: AbortSignal) {
    this.api = api;
    this.id = id;
    this.signal = signal;
    render(
      html`<div class="logbar"></div>
        <div class="log" role="region" aria-label="Log" tabindex="0"><div class="logspace"><div class="logwindow"></div></div></div>`,
      root,
    );
    const part = (name: string): HTMLElement => root.querySelector<HTMLElement>(name) ?? root;
    [this.bar, this.box, this.space, this.window] = [part(".logbar"), part(".log"), part(".logspace"), part(".logwindow")];
    this.box.addEventListener("scroll", this.scrolled, { passive: true });
    this.box.addEventListener("keydown", this.key);
    const watch = new ResizeObserver(() => {
      if (this.isWrapped) this.lines.wrap(this.columns());
      this.due();
    });
    watch.observe(this.box);
    signal.addEventListener("abort", () => watch.disconnect());
    this.begin();
  }

  /** Say how many attempts there are, so that one can be chosen. */
  setAttempts(attempts: number): void {
    if (attempts === this.attempts) return;
    this.attempts = attempts;
    this.drawBar();
  }

  /** Read it from its beginning: another attempt is chosen, or the run is run again. */
  begin(): void {
    this.stream.abort();
    this.stream = new AbortController();
    this.lines = new Lines();
    if (this.isWrapped) this.lines.wrap(this.columns());
    [this.part, this.begun] = ["", 0];
    this.clearSearch();
    void follow(this.api, jobPath(this.id, "logs", "stream"), {
      query: { attempt: this.attempt },
      signal: AbortSignal.any([this.stream.signal, this.signal]),
      onEvents: this.take,
      onConnection: this.connection,
    });
    this.due();
  }

  private connection = (now: Connection): void => {
    const words: Record<Connection["state"], string> = { open: "Following", waiting: "", resting: "", ended: "Complete", refused: "" };
    this.state = words[now.state];
    if (now.state === "waiting") this.state = `Connection lost; trying again in ${Math.ceil(now.seconds)} s`;
    if (now.state === "refused") this.state = now.error.detail;
    this.drawBar();
  };

  private take = (events: StreamEvent[]): void => {
    let plain: string[] = [];
    const note = (text: string): void => {
      this.lines.append(plain);
      plain = [];
      this.lines.append([text], true);
    };
    for (const event of events) {
      if (event.name === "line") {
        plain.push(shownText(this.part + event.data));
        this.part = "";
      } else if (event.name === "part") this.part += event.data;
      else if (event.name === "attempt") {
        const said = parsed(event.data);
        const number = Number(said["attempt"]);
        // Each connection begins with it: one that was taken up again goes on in the same attempt.
        if (number !== this.begun && (number > 1 || this.lines.count)) note(`— attempt ${number} —`);
        this.begun = number;
      } else if (event.name === "gap") {
        const said = parsed(event.data);
        note(`— lines may be missing here: ${said["message"] ?? said["reason"] ?? event.data} —`);
      }
    }
    this.lines.append(plain);
    if (this.needle) this.searchOn();
    this.due();
  };

  private columns(): number {
    const probe = document.createElement("span");
    probe.className = "logrow";
    probe.textContent = "0".repeat(100);
    this.window.append(probe);
    const width = probe.getBoundingClientRect().width / 100;
    probe.remove();
    return Math.max(20, Math.floor((this.box.clientWidth - 24) / (width || 8)));
  }

  private scrolled = (): void => {
    const fromEnd = this.box.scrollHeight - this.box.clientHeight - this.box.scrollTop;
    const isAtEnd = fromEnd < ROW;
    // What is added below moves the end away without anybody having scrolled.
    if (isAtEnd !== this.isFollowing && (isAtEnd || this.box.scrollTop < this.lastTop - 1)) {
      this.isFollowing = isAtEnd;
      this.drawBar();
    }
    this.lastTop = this.box.scrollTop;
    this.due();
  };
  private lastTop = 0;

  private key = (event: KeyboardEvent): void => {
    if (event.key === "End") this.setFollowing(true);
    else if (event.key === "Home") {
      this.setFollowing(false);
      this.box.scrollTop = 0;
    } else return;
    event.preventDefault();
  };

  private due(): void {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      if (this.box.isConnected && !this.signal.aborted) {
        this.draw();
        this.drawBar();
      }
    });
  }

  private draw(): void {
    const { box } = this;
    const total = this.lines.rows;
    this.space.style.height = `${shownRows(total, ROW, 0, box.clientHeight).height}px`;
    if (this.isFollowing) box.scrollTop = box.scrollHeight;
    const shown = shownRows(total, ROW, box.scrollTop, box.clientHeight, 20);
    this.window.style.transform = `translateY(${shown.top}px)`;
    const rows: HTMLElement[] = [];
    for (let row = shown.first; row < shown.last; row += 1) rows.push(this.row(this.lines.at(row)));
    this.window.replaceChildren(...rows);
  }

  private row(at: Row): HTMLElement {
    const made = document.createElement("div");
    made.className = "logrow";
    if (this.lines.isNote(at.line)) made.classList.add("note");
    const whole = this.lines.text(at.line);
    const [from, to] = this.lines.span(at);
    const text = whole.slice(from, Math.min(to, whole.length));
    if (!this.needle || !this.mark(made, whole, text, from, at.line)) made.textContent = text || "\u200b";
    made.dataset["line"] = String(at.line + 1);
    return made;
  }

  /** Put a part of a line in with what was searched for marked; return whether it is there. */
  private mark(into: HTMLElement, whole: string, text: string, from: number, line: number): boolean {
    const [low, wanted] = [whole.toLowerCase(), this.needle.toLowerCase()];
    let hit = low.indexOf(wanted);
    if (hit < 0 || low.length !== whole.length) return false;
    let at = 0;
    while (hit >= 0 && hit < from + text.length) {
      const [begin, end] = [Math.max(0, hit - from), Math.min(text.length, hit + wanted.length - from)];
      if (end > begin) {
        into.append(text.slice(at, begin));
        const marked = document.createElement("mark");
        if (line === this.found[this.current]) marked.className = "current";
        marked.textContent = text.slice(begin, end);
        into.append(marked);
        at = end;
      }
      hit = low.indexOf(wanted, hit + wanted.length);
    }
    into.append(text.slice(at) || (at ? "" : "\u200b"));
    return true;
  }

  private setFollowing(on: boolean): void {
    this.isFollowing = on;
    this.due();
  }

  private setWrapped(on: boolean): void {
    const top = this.lines.at(Math.min(Math.max(0, this.lines.rows - 1), Math.floor(this.box.scrollTop / ROW))).line;
    this.isWrapped = on;
    this.lines.wrap(on ? this.columns() : 0);
    this.box.classList.toggle("wrapped", on);
    if (!this.isFollowing) this.showRow(this.lines.rowOf(top));
    this.due();
  }

  private clearSearch(): void {
    [this.found, this.searched, this.current] = [[], 0, -1];
  }

  private search(needle: string): void {
    this.needle = needle;
    this.clearSearch();
    if (needle) this.searchOn();
    this.due();
  }

  private isSearching = false;

  /** Search what has not been searched, a piece at a time, so that the page stays usable. */
  private searchOn(): void {
    if (this.isSearching) return;
    this.isSearching = true;
    const step = (): void => {
      this.isSearching = false;
      if (!this.needle || this.signal.aborted) return;
      const { found, next } = this.lines.search(this.needle, this.searched, SEARCH_AT_ONCE);
      this.found.push(...found);
      this.searched = next;
      if (this.current < 0 && this.found.length) this.goTo(0);
      this.due();
      if (next < this.lines.count) {
        this.isSearching = true;
        setTimeout(step, 0);
      }
    };
    step();
  }

  private goTo(which: number): void {
    const { length } = this.found;
    if (!length) return;
    this.current = (which + length) % length;
    this.isFollowing = false;
    this.showRow(this.lines.rowOf(this.found[this.current] ?? 0));
    this.due();
  }

  private showRow(row: number): void {
    const total = this.lines.rows;
    const { height } = shownRows(total, ROW, 0, this.box.clientHeight);
    this.space.style.height = `${height}px`;
    const factor = (height - this.box.clientHeight) / Math.max(1, total * ROW - this.box.clientHeight);
    this.box.scrollTop = Math.max(0, (row * ROW - this.box.clientHeight / 2) * Math.min(1, Math.max(factor, 0)));
    this.lastTop = this.box.scrollTop;
  }

  private drawBar(): void {
    render(this.toolbar(), this.bar);
  }

  private toolbar(): TemplateResult {
    const hits = this.needle ? (this.found.length ? `${count(this.current + 1)} of ${count(this.found.length)}` : "none") : "";
    return html`<div class="toolbar">
        <h2>Log</h2>
        <span class="quiet logstate">${this.state} · ${count(this.lines.count)} lines</span>
        <span class="grow"></span>
        ${this.attempts > 1
          ? html`<select aria-label="Attempt" @change=${(event: Event) => { this.attempt = (event.target as HTMLSelectElement).value; this.begin(); }}>
              <option value="">Latest attempt</option>
              ${Array.from({ length: this.attempts }, (_, i) => html`<option value=${i + 1}>Attempt ${i + 1}</option>`)}
            </select>`
          : ""}
        <input type="search" class="logsearch" placeholder="Search" aria-label="Search the log" spellcheck="false"
          @input=${(event: Event) => this.search((event.target as HTMLInputElement).value)}
          @keydown=${(event: KeyboardEvent) => { if (event.key === "Enter") { event.preventDefault(); this.goTo(this.current + (event.shiftKey ? -1 : 1)); } }} />
        <span class="quiet hits" role="status">${hits}</span>
        <button class="small" aria-label="Previous match" ?disabled=${!this.found.length} @click=${() => this.goTo(this.current - 1)}>↑</button>
        <button class="small" aria-label="Next match" ?disabled=${!this.found.length} @click=${() => this.goTo(this.current + 1)}>↓</button>
        <button class="small" aria-pressed=${String(this.isWrapped)} @click=${() => this.setWrapped(!this.isWrapped)}>Wrap</button>
        <button class="small" aria-pressed=${String(this.isFollowing)} @click=${() => this.setFollowing(!this.isFollowing)}>Follow</button>
      </div>
      ${this.lines.dropped
        ? html`<p class="hint">The last ${count(MOST_LINES)} lines are kept here; ${count(this.lines.dropped)} earlier ones are in the whole log.</p>`
        : ""}`;
  }
}

function parsed(data: string): Record<string, unknown> {
  try {
    const found: unknown = JSON.parse(data);
    return typeof found === "object" && found !== null ? (found as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
