// A list of any length of which only what is seen is in the page. Arrows move, Enter opens, Space selects.

import { html, render, type TemplateResult } from "lit-html";
import { scrollTo, shownRows } from "../core/window.ts";

export interface Column<T> {
  name: string;
  title: string;
  cell: (row: T) => TemplateResult | string;
}

export interface GridSource<T> {
  label: string;
  columns: readonly Column<T>[];
  total: () => number | undefined;
  row: (index: number) => T | undefined;
  look: (first: number, last: number) => void;
  open: (row: T) => void;
  /** What is selected; undefined: nothing can be. */
  selected?: Set<string>;
  onSelect?: () => void;
  empty: () => TemplateResult | string;
}

const WIDE_ROW = 32;
const NARROW_ROW = 58;
const NARROW = globalThis.matchMedia?.("(max-width: 640px)");

export class Grid<T extends { id: string }> {
  private readonly source: GridSource<T>;
  private readonly root: HTMLElement;
  private active = 0;
  private isDue = false;

  constructor(root: HTMLElement, source: GridSource<T>, signal: AbortSignal) {
    this.root = root;
    this.source = source;
    root.className = "grid";
    root.tabIndex = 0;
    root.setAttribute("role", "grid");
    root.setAttribute("aria-label", source.label);
    root.addEventListener("scroll", this.due, { passive: true });
    root.addEventListener("keydown", this.key);
    root.addEventListener("focus", this.due);
    globalThis.addEventListener("resize", this.due, { signal });
    const watch = new ResizeObserver(this.due);
    watch.observe(root);
    signal.addEventListener("abort", () => watch.disconnect());
    this.draw();
  }

  focus(): void {
    this.root.focus();
  }

  /** Go back to the top: another list is shown. */
  top(): void {
    this.active = 0;
    this.root.scrollTop = 0;
    this.due();
  }

  /** Draw before the next frame. */
  due = (): void => {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      if (this.root.isConnected) this.draw();
    });
  };

  private get rowHeight(): number {
    return NARROW?.matches ? NARROW_ROW : WIDE_ROW;
  }

  private key = (event: KeyboardEvent): void => {
    const total = this.source.total() ?? 0;
    const { target } = event;
    if (!total || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target instanceof HTMLElement && target !== this.root && event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const step = Math.max(1, Math.floor(this.root.clientHeight / this.rowHeight) - 2);
    const moves: Record<string, number> = {
      ArrowDown: this.active + 1, ArrowUp: this.active - 1, PageDown: this.active + step, PageUp: this.active - step, Home: 0, End: total - 1,
    };
    const row = this.source.row(this.active);
    const to = moves[event.key];
    if (to !== undefined) this.move(Math.max(0, Math.min(total - 1, to)));
    else if (event.key === "Enter" && row) this.source.open(row);
    else if (event.key === " " && row && this.source.selected) this.toggle(row.id);
    else return;
    event.preventDefault();
  };

  private move(to: number): void {
    this.active = to;
    const header = this.root.querySelector<HTMLElement>(".head")?.offsetHeight ?? 0;
    this.root.scrollTop = scrollTo(to, this.source.total() ?? 0, this.rowHeight, this.root.scrollTop, this.root.clientHeight - header);
    this.draw();
  }

  private toggle(id: string): void {
    const { selected } = this.source;
    if (!selected) return;
    if (!selected.delete(id)) selected.add(id);
    this.source.onSelect?.();
    this.draw();
  }

  private draw(): void {
    const { root, source } = this;
    const total = source.total();
    const size = this.rowHeight;
    const header = root.querySelector<HTMLElement>(".head")?.offsetHeight ?? 0;
    this.active = Math.max(0, Math.min(this.active, (total ?? 1) - 1));
    const shown = shownRows(total ?? 0, size, root.scrollTop, Math.max(size, root.clientHeight - header));
    // Before anything is known, the first rows are asked for.
    source.look(shown.first, Math.max(shown.last, total === undefined ? 1 : 0));
    root.setAttribute("aria-rowcount", String((total ?? 0) + 1));
    root.setAttribute("aria-busy", String(total === undefined));
    const rows: TemplateResult[] = [];
    for (let index = shown.first; index < shown.last; index += 1) rows.push(this.line(index, source.row(index)));
    if (total) root.setAttribute("aria-activedescendant", `row-${this.active}`);
    else root.removeAttribute("aria-activedescendant");
    render(
      html`<div class="head row ${source.selected ? "pick" : ""}" role="row" aria-rowindex="1">
          ${source.selected ? html`<span class="cell select" role="columnheader"><span class="hidden">Selected</span></span>` : ""}
          ${source.columns.map((column) => html`<span class="cell ${column.name}" role="columnheader">${column.title}</span>`)}
        </div>
        ${total === 0 ? html`<div role="row"><div class="empty" role="gridcell">${source.empty()}</div></div>` : ""}
        <div class="rows" role="rowgroup" .style=${`height:${shown.height}px`}>
          <div class="window" role="presentation" .style=${`transform:translateY(${shown.top}px)`}>${rows}</div>
        </div>`,
      root,
    );
  }

  private line(index: number, row: T | undefined): TemplateResult {
    const { source } = this;
    const isActive = index === this.active;
    const isPicked = row !== undefined && source.selected?.has(row.id) === true;
    return html`<div
      class="row ${isActive ? "active" : ""} ${isPicked ? "picked" : ""} ${source.selected ? "pick" : ""}"
      role="row" id="row-${index}" aria-rowindex=${index + 2} aria-selected=${source.selected ? String(isPicked) : "false"}
      @click=${() => {
        this.active = index;
        this.due();
      }}>
      ${source.selected
        ? html`<span class="cell select" role="gridcell">${row
            ? html`<input type="checkbox" tabindex="-1" aria-label=${`Select ${row.id}`} .checked=${isPicked} @click=${() => this.toggle(row.id)} />`
            : ""}</span>`
        : ""}
      ${source.columns.map((column) => html`<span class="cell ${column.name}" role="gridcell">${row ? column.cell(row) : html`<span class="wait"></span>`}</span>`)}
    </div>`;
  }
}
