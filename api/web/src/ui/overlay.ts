// A file that several runs have: its curves over each other.

import { html, render, type TemplateResult } from "lit-html";
import type { Curve } from "../charts/curve.ts";
import { artifactPath } from "../core/api.ts";
import { parseCsv, type CsvTable } from "../core/csv.ts";
import { scalar } from "../core/format.ts";
import { parseNpy, type NdArray } from "../core/npy.ts";
import { isAbort, sentenceOf } from "../core/problem.ts";
import type { View } from "../page.ts";

/** Files larger than this are not read for a curve, in bytes. */
const MOST_BYTES = 32 << 20;
const SHOWN_ROWS = 100;

interface Read {
  id: string;
  array?: NdArray;
  table?: CsvTable;
}

export class Overlay {
  private readonly root: HTMLElement;
  private readonly view: View;
  private ids: readonly string[] = [];
  private paths: readonly string[] = [];
  private path = "";
  private reads: Read[] = [];
  private problems: string[] = [];
  private isReading = false;
  private choice = { x: "", y: "", row: -1, yLog: false };
  private drawn: ((curves: readonly Curve[], xName: string, yName: string, yLog: boolean) => void) | undefined;
  private asking = new AbortController();

  constructor(root: HTMLElement, view: View) {
    this.root = root;
    this.view = view;
    this.draw();
  }

  /** Offer these files of these runs. */
  show(ids: readonly string[], paths: readonly string[]): void {
    this.ids = ids;
    this.paths = paths;
    const wanted = this.view.query.get("file");
    this.path = paths.find((path) => path === wanted) ?? paths[0] ?? "";
    this.draw();
    if (this.path) void this.open(this.path);
  }

  private async open(path: string): Promise<void> {
    this.asking.abort();
    this.asking = new AbortController();
    const signal = AbortSignal.any([this.asking.signal, this.view.signal]);
    this.path = path;
    [this.problems, this.reads, this.isReading] = [[], [], true];
    this.draw();
    const found = await Promise.all(this.ids.map((id) => this.read(id, path, signal)));
    if (signal.aborted) return;
    this.reads = found.filter((one) => one !== undefined);
    this.isReading = false;
    this.choose();
    this.draw();
  }

  private async read(id: string, path: string, signal: AbortSignal): Promise<Read | undefined> {
    try {
      const response = await this.view.api.send(artifactPath(id, path), { headers: { Accept: "*/*" }, signal });
      if (Number(response.headers.get("Content-Length") ?? 0) > MOST_BYTES) {
        await response.body?.cancel();
        throw new RangeError(`${path} is too large for a curve (at most 32 MiB).`);
      }
      return /\.npy$/i.test(path) ? { id, array: parseNpy(await response.arrayBuffer()) } : { id, table: parseCsv(await response.text()) };
    } catch (error) {
      if (!isAbort(error) && !signal.aborted) this.problems.push(`${id}: ${sentenceOf(error)}`);
      return undefined;
    }
  }

  /** Keep what is chosen if these files have it; else the first column over nothing but its index, or the second over the first. */
  private choose(): void {
    const names = this.columns();
    if (!names.includes(this.choice.y)) [this.choice.x, this.choice.y] = names.length > 1 ? [names[0] ?? "", names[1] ?? ""] : ["", names[0] ?? ""];
    if (this.choice.x && !names.includes(this.choice.x)) this.choice.x = "";
    this.choice.row = -1;
  }

  private columns(): string[] {
    const table = this.reads.find((one) => one.table)?.table;
    return table?.columns.filter((column) => column.numbers).map((column) => column.name) ?? [];
  }

  private curves(): Curve[] {
    return this.reads.flatMap(({ id, array, table }): Curve[] => {
      if (array) {
        const length = array.shape.at(-1) ?? 1;
        const rows = Math.max(1, Math.floor(array.values.length / Math.max(1, length)));
        const row = this.choice.row < 0 ? rows - 1 : Math.min(rows - 1, this.choice.row);
        return [{ name: id, y: array.values.subarray(row * length, (row + 1) * length) }];
      }
      const of = (name: string): Float64Array | undefined => table?.columns.find((column) => column.name === name)?.numbers;
      const y = of(this.choice.y);
      const x = this.choice.x ? of(this.choice.x) : undefined;
      return y ? [x ? { name: id, x, y } : { name: id, y }] : [];
    });
  }

  private rows(): number {
    return Math.max(0, ...this.reads.map(({ array }) => (array && array.shape.length > 1 ? array.values.length / Math.max(1, array.shape.at(-1) ?? 1) : 0)));
  }

  private draw(): void {
    const curves = this.curves();
    const names = this.columns();
    const rows = this.rows();
    const change = (set: (value: string) => void) => (event: Event): void => {
      set((event.target as HTMLSelectElement).value);
      this.draw();
    };
    render(
      html`<div class="toolbar">
          <h2>Curves</h2>
          ${this.paths.length
            ? html`<label>File <select @change=${(event: Event) => {
                const path = (event.target as HTMLSelectElement).value;
                this.view.setQuery({ file: path });
                void this.open(path);
              }}>${this.paths.map((path) => html`<option value=${path} ?selected=${path === this.path}>${path}</option>`)}</select></label>`
            : html`<span class="quiet">There is no .npy or .csv file that all of them have.</span>`}
          ${names.length
            ? html`<label>Over <select @change=${change((value) => (this.choice.x = value))}><option value="">the row's number</option>${names.map((name) => html`<option value=${name} ?selected=${name === this.choice.x}>${name}</option>`)}</select></label>
                <label>Show <select @change=${change((value) => (this.choice.y = value))}>${names.map((name) => html`<option value=${name} ?selected=${name === this.choice.y}>${name}</option>`)}</select></label>`
            : ""}
          ${rows > 1
            ? html`<label>Row <input class="index" type="number" min="0" max=${rows - 1} .value=${String(this.choice.row < 0 ? rows - 1 : this.choice.row)} @input=${change((value) => (this.choice.row = Math.max(0, Math.min(rows - 1, Math.trunc(Number(value) || 0)))))} /></label><span class="quiet">of ${rows}</span>`
            : ""}
          ${curves.length ? html`<label class="check"><input type="checkbox" @change=${(event: Event) => {
            this.choice.yLog = (event.target as HTMLInputElement).checked;
            this.draw();
          }} /> logarithmic</label>` : ""}
        </div>
        ${this.problems.map((text) => html`<p class="problem" role="alert">${text}</p>`)}
        ${this.isReading ? html`<p class="quiet">Reading…</p>` : ""}
        <div class="chart" ?hidden=${!curves.length}></div>
        ${curves.length ? this.table(curves) : ""}`,
      this.root,
    );
    if (curves.length) void this.paint(curves);
  }

  private async paint(curves: readonly Curve[]): Promise<void> {
    if (!this.drawn) {
      const { curveChart } = await import("../charts/curve.ts");
      const root = this.root.querySelector<HTMLElement>(".chart");
      if (!root || this.view.signal.aborted) return;
      const chart = this.drawn ? undefined : curveChart(root, this.view.signal);
      if (chart) this.drawn = (lines, xName, yName, yLog) => chart.set(lines, { xName, yName, yLog, label: `${yName} of ${lines.map((one) => one.name).join(", ")}; the same numbers stand in the table below` });
    }
    this.drawn?.(curves, this.choice.x || "index", this.choice.y || this.path, this.choice.yLog);
  }

  private table(curves: readonly Curve[]): TemplateResult {
    const length = Math.max(...curves.map((curve) => curve.y.length));
    const step = Math.max(1, Math.ceil(length / SHOWN_ROWS));
    const rows = Array.from({ length: Math.ceil(length / step) }, (_, i) => i * step);
    return html`<details class="astable"><summary>The same as a table</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="The curves as a table"><table class="data">
        <thead><tr><th scope="col">${this.choice.x || "index"}</th>${curves.map((curve) => html`<th scope="col">${curve.name}</th>`)}</tr></thead>
        <tbody>${rows.map((i) => html`<tr><th scope="row" class="number">${scalar(curves[0]?.x?.[i] ?? i)}</th>${curves.map((curve) => html`<td class="number">${curve.y[i] === undefined ? "" : scalar(curve.y[i])}</td>`)}</tr>`)}</tbody>
      </table></div>${step > 1 ? html`<p class="hint">Every ${step}th of ${length} values.</p>` : ""}</details>`;
  }
}
