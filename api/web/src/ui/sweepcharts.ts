// Charts of a sweep: a metric against one axis, over two, and all parameters side by side. What is chosen stands in the address.

import { html, render, type TemplateResult } from "lit-html";
import type { ScatterGroup } from "../charts/scatter.ts";
import { placeOn, varied, type Axis } from "../core/axes.ts";
import { count, scalar } from "../core/format.ts";
import { heatGrid, type HeatGrid } from "../core/heat.ts";
import { parallelData, type Brushes, type ParallelData } from "../core/parallel.ts";
import { metricOf, metricsOf, type Point } from "../core/points.ts";
import type { View } from "../page.ts";

type Kind = "axis" | "heat" | "parallel";
const KINDS: readonly [Kind, string][] = [["axis", "One axis"], ["heat", "Heat map"], ["parallel", "Parallel coordinates"]];
const MOST_GROUPS = 12;
const SHOWN_ROWS = 200;

export interface ChartActions {
  onOpen: (index: number) => void;
  /** Told what is chosen on which axes of the parallel coordinates. */
  onBrush: (axes: readonly Axis[], brushes: Brushes) => void;
  /** Told the points of a cell that has several. */
  onCell: (indexes: readonly number[]) => void;
}

export class SweepCharts {
  private readonly root: HTMLElement;
  private readonly view: View;
  private readonly actions: ChartActions;
  private points: readonly Point[] = [];
  private axes: Axis[] = [];
  private metrics: string[] = [];
  private leaving = new AbortController();
  private brushes: Brushes = new Map();
  private painter: { kind: Kind; paint: () => void } | undefined;

  constructor(root: HTMLElement, view: View, actions: ChartActions) {
    this.root = root;
    this.view = view;
    this.actions = actions;
    view.signal.addEventListener("abort", () => this.leaving.abort());
  }

  set(points: readonly Point[]): void {
    this.points = points;
    this.axes = varied(points);
    this.metrics = metricsOf(points);
    this.draw();
  }

  /** Take back what is chosen on the axes of the parallel coordinates. */
  unbrush(): void {
    this.brushes = new Map();
    this.painter?.paint();
  }

  private asked(name: string, among: readonly string[], otherwise: number): string {
    const wanted = new URLSearchParams(location.search).get(name) ?? "";
    return among.includes(wanted) ? wanted : (among[otherwise] ?? "");
  }

  private get kind(): Kind {
    const kinds = KINDS.map(([kind]) => kind).filter((kind) => kind !== "heat" || this.axes.length > 1);
    return this.asked("chart", kinds, this.axes.length > 1 ? 1 : 0) as Kind;
  }

  private choose(change: Record<string, string | undefined>): void {
    this.view.setQuery(change);
    this.draw();
  }

  private select(title: string, name: string, values: readonly string[], value: string, none?: string): TemplateResult {
    return html`<label>${title} <select @change=${(event: Event) => this.choose({ [name]: (event.target as HTMLSelectElement).value })}>
      ${none === undefined ? "" : html`<option value="-" ?selected=${!value}>${none}</option>`}
      ${values.map((one) => html`<option value=${one} ?selected=${one === value}>${one}</option>`)}</select></label>`;
  }

  private draw(): void {
    const { kind } = this;
    const names = this.axes.map((axis) => axis.name);
    const metric = this.asked("metric", this.metrics, 0);
    const x = this.asked("x", names, kind === "heat" && names.length > 1 ? 1 : 0);
    const others = names.filter((name) => name !== x);
    const y = this.asked("y", others, 0);
    const group = this.group(others);
    const isReady = this.axes.length > 0 && this.metrics.length > 0;
    render(
      html`<div class="toolbar">
          <h2>Charts</h2>
          <div class="tabs" role="group" aria-label="Kind of chart">${KINDS.filter(([one]) => one !== "heat" || names.length > 1).map(([one, title]) => html`<button class="small" aria-pressed=${String(one === kind)} @click=${() => this.choose({ chart: one })}>${title}</button>`)}</div>
          <span class="grow"></span>
          ${isReady ? this.select("Metric", "metric", this.metrics, metric) : ""}
          ${isReady && kind !== "parallel" ? this.select("Across", "x", names, x) : ""}
          ${isReady && kind === "heat" ? this.select("Up", "y", others, y) : ""}
          ${isReady && kind === "axis" && others.length ? this.select("Groups", "group", others, group, "none") : ""}
        </div>
        ${isReady ? "" : html`<p class="quiet">${this.points.length && !this.axes.length ? "No parameter differs among the points." : "There is nothing to draw before the first point has ended."}</p>`}
        <div class="chartplace" ?hidden=${!isReady}></div>
        <div class="chartnote"></div>`,
      this.root,
    );
    const note = this.root.querySelector<HTMLElement>(".chartnote");
    if (!isReady || !note) {
      if (note) render("", note);
      return;
    }
    this.paint(kind, { metric, x, y, group }, note);
  }

  private group(others: readonly string[]): string {
    const wanted = new URLSearchParams(location.search).get("group");
    if (wanted === "-") return "";
    if (wanted && others.includes(wanted)) return wanted;
    const first = this.axes.find((axis) => others.includes(axis.name) && axis.values.length <= 6);
    return first?.name ?? "";
  }

  /** Draw with the chart of a kind; another kind is another chart. */
  private paint(kind: Kind, how: { metric: string; x: string; y: string; group: string }, note: HTMLElement): void {
    const [x, y] = [this.axis(how.x), this.axis(how.y)];
    if (!x) return;
    const place = this.root.querySelector<HTMLElement>(".chartplace");
    if (!place) return;
    if (this.painter?.kind !== kind) {
      this.leaving.abort();
      this.leaving = new AbortController();
      const chart = document.createElement("div");
      chart.className = `chart ${kind}`;
      place.replaceChildren(chart);
      this.painter = { kind, paint: () => {} };
      void this.begin(kind, chart, this.leaving.signal);
    }
    if (kind === "axis") {
      const groups = this.groups(x, how.metric, this.axis(how.group));
      this.next = { kind, groups, x, metric: how.metric };
      render(axisNote(groups, x, how.metric), note);
    } else if (kind === "heat" && y) {
      const grid = heatGrid(this.points, x, y, how.metric);
      this.next = { kind, grid, x: how.x, y: how.y, metric: how.metric };
      render(heatNote(grid, how), note);
    } else {
      const data = parallelData(this.points, this.axes, [how.metric, ...this.metrics.filter((name) => name !== how.metric)].toReversed());
      this.next = { kind: "parallel", data };
      render(parallelNote(data), note);
    }
    this.painter.paint();
  }

  private next:
    | { kind: "axis"; groups: ScatterGroup[]; x: Axis; metric: string }
    | { kind: "heat"; grid: HeatGrid; x: string; y: string; metric: string }
    | { kind: "parallel"; data: ParallelData }
    | undefined;

  private async begin(kind: Kind, root: HTMLElement, signal: AbortSignal): Promise<void> {
    const { onOpen, onBrush, onCell } = this.actions;
    let paint = (): void => {};
    if (kind === "axis") {
      const { scatterChart } = await import("../charts/scatter.ts");
      if (signal.aborted) return;
      const chart = scatterChart(root, signal, onOpen);
      paint = () => {
        if (this.next?.kind !== "axis") return;
        const { groups, x, metric } = this.next;
        const options = { x: x.name, y: metric, xLog: x.scale === "log", yLog: spreads(groups), isJoined: isLine(groups), label: `${metric} against ${x.name}; the same numbers stand in the table below` };
        chart.set(groups, x.kind === "category" ? { ...options, categories: x.values.map(String) } : options);
      };
    } else if (kind === "heat") {
      const { heatmapChart } = await import("../charts/heatmap.ts");
      if (signal.aborted) return;
      const chart = heatmapChart(root, signal, (cell) => (cell.points.length === 1 ? onOpen(cell.points[0] ?? 0) : onCell(cell.points)));
      paint = () => {
        if (this.next?.kind !== "heat") return;
        const { grid, x, y, metric } = this.next;
        chart.set(grid, { x, y, metric, label: `Heat map of ${metric} over ${x} and ${y}; the same numbers stand in the table below` });
      };
    } else {
      const { parallelChart } = await import("../charts/parallel.ts");
      if (signal.aborted) return;
      const told = (brushes: Brushes): void => {
        this.brushes = brushes;
        onBrush(this.next?.kind === "parallel" ? this.next.data.axes : [], brushes);
      };
      const chart = parallelChart(root, signal, told, onOpen);
      paint = () => {
        if (this.next?.kind === "parallel") chart.set(this.next.data, this.brushes, `Parallel coordinates of ${this.next.data.lines.length} points; the table of points has the same numbers`);
      };
    }
    if (this.painter?.kind === kind) {
      this.painter.paint = paint;
      paint();
    }
  }

  private axis(name: string): Axis | undefined {
    return this.axes.find((axis) => axis.name === name);
  }

  private groups(x: Axis, metric: string, by: Axis | undefined): ScatterGroup[] {
    const found = new Map<string, { index: number; x: number; y: number }[]>();
    const known = new Set(by?.values.slice(0, MOST_GROUPS));
    for (const point of this.points) {
      const [at, value] = [placeOn(x, point.params[x.name]), metricOf(point, metric)];
      if (at === undefined || value === undefined) continue;
      const of = by ? point.params[by.name] : undefined;
      const name = !by ? metric : of !== undefined && known.has(of) ? `${by.name} = ${scalar(of)}` : "other values";
      const marks = found.get(name) ?? [];
      marks.push({ index: point.index, x: at, y: value });
      found.set(name, marks);
    }
    return [...found].map(([name, marks]) => ({ name, marks: marks.sort((a, b) => a.x - b.x || a.index - b.index) }));
  }
}

/** Whether each group has one value at each place: then a line says more than marks. */
function isLine(groups: readonly ScatterGroup[]): boolean {
  return groups.every((group) => group.marks.length > 1 && group.marks.every((mark, i) => mark.x !== group.marks[i - 1]?.x)) && groups.every((group) => group.marks.length <= 400);
}

/** Whether positive values are spread over more than three orders of magnitude. */
function spreads(groups: readonly ScatterGroup[]): boolean {
  let [low, high] = [Number.POSITIVE_INFINITY, 0];
  for (const { marks } of groups) for (const { y } of marks) [low, high] = [Math.min(low, y), Math.max(high, y)];
  return low > 0 && high / low > 1000;
}

function axisNote(groups: readonly ScatterGroup[], x: Axis, metric: string): TemplateResult {
  const all = groups.flatMap((group) => group.marks.map((mark) => ({ ...mark, group: group.name })));
  return html`<details class="astable"><summary>The same as a table</summary>
    <div class="scroll" tabindex="0" role="region" aria-label="${metric} against ${x.name}"><table class="data">
      <thead><tr><th scope="col">Point</th><th scope="col">${x.name}</th><th scope="col">${metric}</th><th scope="col">Group</th></tr></thead>
      <tbody>${all.slice(0, SHOWN_ROWS).map((mark) => html`<tr><th scope="row">${mark.index}</th><td class="number">${x.kind === "category" ? String(x.values[mark.x]) : scalar(mark.x)}</td><td class="number">${scalar(mark.y)}</td><td>${mark.group}</td></tr>`)}</tbody>
    </table></div>${all.length > SHOWN_ROWS ? html`<p class="hint">The first ${SHOWN_ROWS} of ${count(all.length)}.</p>` : ""}</details>`;
}

function heatNote(grid: HeatGrid, how: { metric: string; x: string; y: string }): TemplateResult {
  const width = grid.xs.length;
  return html`<p class="hint">${grid.missing ? `${count(grid.missing)} of ${count(grid.cells.length)} cells have no value (grey). ` : ""}A cell opens its run.</p>
    <details class="astable"><summary>The same as a table</summary>
    <div class="scroll" tabindex="0" role="region" aria-label="${how.metric} over ${how.x} and ${how.y}"><table class="data">
      <thead><tr><th scope="col">${how.y} \\ ${how.x}</th>${grid.xs.map((x) => html`<th scope="col">${x}</th>`)}</tr></thead>
      <tbody>${grid.ys.map((y, row) => html`<tr><th scope="row">${y}</th>${grid.cells.slice(row * width, (row + 1) * width).map((cell) => html`<td class="number">${cell.mean === undefined ? "" : scalar(cell.mean)}</td>`)}</tr>`)}</tbody>
    </table></div></details>`;
}

function parallelNote(data: ParallelData): TemplateResult {
  const drawn = data.lines.length < data.total ? `${count(data.lines.length)} of ${count(data.total)} points are drawn. ` : "";
  return html`<p class="hint">${drawn}Drag along an axis to choose a range of it: the table shows what is within. Click it to take the choice back. Lines are coloured by the last axis.</p>`;
}
