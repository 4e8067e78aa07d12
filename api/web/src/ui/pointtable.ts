// The table of a sweep: of any length, of which only what is seen is in the page. Columns sort, rows are selected.

import { html, render, type TemplateResult } from "lit-html";
import { scalar } from "../core/format.ts";
import type { Point } from "../core/points.ts";
import { valueAt, type ColumnKey } from "../core/rows.ts";
import { shownRows } from "../core/window.ts";
import { link } from "../router.ts";

const ROW = 30;

export interface TableColumn {
  key: ColumnKey;
  title: string;
}

export interface TableState {
  rows: readonly Point[];
  columns: readonly TableColumn[];
  sort: string;
  selected: ReadonlySet<number>;
  /** What stands there when there are no rows. */
  none: string;
}

export interface TableActions {
  onSort: (sort: string) => void;
  onSelect: (index: number) => void;
}

export class PointTable {
  private readonly root: HTMLElement;
  private readonly actions: TableActions;
  private state: TableState = { rows: [], columns: [], sort: "index", selected: new Set(), none: "" };
  private isDue = false;

  constructor(root: HTMLElement, signal: AbortSignal, actions: TableActions) {
    this.root = root;
    this.actions = actions;
    root.tabIndex = 0;
    root.setAttribute("role", "table");
    root.setAttribute("aria-label", "Points");
    root.addEventListener("scroll", this.due, { passive: true });
    const watch = new ResizeObserver(this.due);
    watch.observe(root);
    signal.addEventListener("abort", () => watch.disconnect());
  }

  set(state: TableState): void {
    this.state = state;
    this.due();
  }

  private due = (): void => {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      if (this.root.isConnected) this.draw();
    });
  };

  private draw(): void {
    const { root } = this;
    const { rows, columns } = this.state;
    const shown = shownRows(rows.length, ROW, root.scrollTop, Math.max(ROW, root.clientHeight - ROW));
    root.setAttribute("aria-rowcount", String(rows.length + 1));
    root.style.setProperty("--columns", `34px 118px 112px repeat(${columns.length}, minmax(104px, 1fr))`);
    root.style.setProperty("--wide", `${264 + 104 * columns.length}px`);
    render(
      html`<div role="rowgroup" class="thead"><div class="prow" role="row" aria-rowindex="1">
          <span role="columnheader"><span class="hidden">Selected</span></span>
          ${this.head({ key: "index", title: "Point" })}${this.head({ key: "status", title: "Status" })}
          ${columns.map((column) => this.head(column))}
        </div></div>
        ${rows.length ? "" : html`<div role="rowgroup"><div role="row"><div role="cell" class="empty quiet">${this.state.none}</div></div></div>`}
        <div class="pspace" role="rowgroup" .style=${`height:${shown.height}px`}>
          <div class="pwindow" role="presentation" .style=${`transform:translateY(${shown.top}px)`}>${rows.slice(shown.first, shown.last).map((point, i) => this.line(point, shown.first + i))}</div>
        </div>`,
      root,
    );
  }

  private head(column: TableColumn): TemplateResult {
    const { sort } = this.state;
    const way = sort === column.key ? "ascending" : sort === `-${column.key}` ? "descending" : "none";
    return html`<span role="columnheader" aria-sort=${way}>
      <button class="plain small" title="Sort by ${column.title}" @click=${() => this.actions.onSort(way === "ascending" ? `-${column.key}` : column.key)}>${column.title}<span aria-hidden="true">${way === "ascending" ? " ▲" : way === "descending" ? " ▼" : ""}</span></button>
    </span>`;
  }

  private line(point: Point, at: number): TemplateResult {
    return html`<div class="prow ${this.state.selected.has(point.index) ? "picked" : ""}" role="row" aria-rowindex=${at + 2}>
      <span role="cell"><input type="checkbox" aria-label="Select point ${point.index}" .checked=${this.state.selected.has(point.index)} @click=${() => this.actions.onSelect(point.index)} /></span>
      <span role="cell"><a class="mono" href=${link("job", { id: point.id })}>${point.index}</a></span>
      <span role="cell"><span class="status ${point.status}" title=${point.reason ?? ""}>${point.status}</span></span>
      ${this.state.columns.map(({ key }) => {
        const value = valueAt(point, key);
        return html`<span role="cell" class=${typeof value === "number" ? "number mono" : "mono"} title=${value === undefined ? "" : String(value)}>${value === undefined ? "" : scalar(value)}</span>`;
      })}
    </div>`;
  }
}
