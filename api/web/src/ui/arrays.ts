// Previews with charts: a NumPy array as a curve or a picture of its values, columns of a CSV file as curves. Loaded when one is looked at.

import { html, type TemplateResult } from "lit-html";
import { curveChart, type Curve } from "../charts/curve.ts";
import { VIRIDIS } from "../charts/heatmap.ts";
import { parseCsv } from "../core/csv.ts";
import { count, scalar } from "../core/format.ts";
import { parseNpy, planeOf, type NdArray } from "../core/npy.ts";

export interface Drawn {
  template: TemplateResult;
  /** Draws into the page, once the template is there; what it began ends with `signal`. */
  mount: (root: HTMLElement, signal: AbortSignal) => void;
}

const MOST_CURVES = 6;

/** Show an array. Throws NpyError, with a sentence, for a file that cannot be read. */
export function arrayPreview(content: ArrayBuffer, path: string): Drawn {
  const array = parseNpy(content);
  const shape = array.shape.length ? array.shape.map(count).join(" × ") : "one value";
  const [low, high] = rangeOf(array.values);
  const said = html`<p class="quiet">${shape}, ${wordOf(array.dtype)}${array.isComplex ? " (magnitudes)" : ""}, from ${scalar(low)} to ${scalar(high)}</p>`;
  const longer = array.shape.filter((size) => size > 1);
  if (array.values.length <= 1) return { template: html`${said}<pre>${array.values.length ? scalar(array.values[0] ?? Number.NaN) : "empty"}</pre>`, mount: () => {} };
  if (longer.length <= 1) {
    return {
      template: html`${said}<div class="curve"></div>`,
      mount: (root, signal) => curveIn(root, signal, [{ name: path, y: array.values }], "index", `Values of ${path}`),
    };
  }
  const first = planeOf({ ...array, shape: longer });
  const more = longer.length > 2 ? html`<p class="hint">The first plane of the last two axes.</p>` : "";
  return {
    template: html`${said}<canvas class="plane" role="img" aria-label="Values of ${path} as colours, from ${scalar(low)} (dark) to ${scalar(high)} (light)"></canvas>${more}`,
    mount: (root) => paint(root.querySelector("canvas"), first),
  };
}

/** Show the columns of a CSV file that are numbers, over the first of them; undefined when there is nothing to draw. */
export function csvCurves(text: string, path: string): Drawn | undefined {
  const table = parseCsv(text);
  const [x, ...others] = table.columns.filter((column) => column.numbers !== undefined);
  if (!x?.numbers || table.rows < 2) return undefined;
  const curves = (others.length ? others : [x]).slice(0, MOST_CURVES).map((column): Curve => {
    const curve: Curve = { name: column.name, y: column.numbers ?? [] };
    if (column !== x && x.numbers) curve.x = x.numbers;
    return curve;
  });
  return {
    template: html`<div class="curve"></div>`,
    mount: (root, signal) => curveIn(root, signal, curves, others.length ? x.name : "row", `Columns of ${path} over ${x.name}`),
  };
}

function curveIn(root: HTMLElement, signal: AbortSignal, curves: Curve[], xName: string, label: string): void {
  const place = root.querySelector<HTMLElement>(".curve");
  if (place) curveChart(place, signal).set(curves, { xName, yName: curves.length === 1 ? (curves[0]?.name ?? "") : "", label });
}

/** `<f8` is float64. */
function wordOf(dtype: string): string {
  const found = /^[<>|=]?([biufc])(\d+)$/.exec(dtype);
  if (!found) return dtype;
  const [, kind = "", size = ""] = found;
  if (kind === "b") return "bool";
  return `${{ i: "int", u: "uint", f: "float", c: "complex" }[kind]}${Number(size) * 8}`;
}

function rangeOf(values: Float64Array): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value < low && value !== Number.NEGATIVE_INFINITY) low = value;
    if (value > high && value !== Number.POSITIVE_INFINITY) high = value;
  }
  return low <= high ? [low, high] : [Number.NaN, Number.NaN];
}

const MOST_SIDE = 1024;

/** Paint a plane, one point of the picture for each value, or for each few where there are very many. The first row is the lowest one. */
function paint(canvas: HTMLCanvasElement | null, plane: NdArray): void {
  const [rows = 0, columns = 0] = plane.shape;
  const context = canvas?.getContext("2d");
  if (!canvas || !context || !rows || !columns) return;
  [canvas.width, canvas.height] = [Math.min(columns, MOST_SIDE), Math.min(rows, MOST_SIDE)];
  const [low, high] = rangeOf(plane.values);
  const picture = context.createImageData(canvas.width, canvas.height);
  const steps = VIRIDIS.map((colour) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)));
  for (let y = 0; y < canvas.height; y += 1) {
    const row = Math.floor(((canvas.height - 1 - y) * rows) / canvas.height);
    for (let x = 0; x < canvas.width; x += 1) {
      const value = plane.values[row * columns + Math.floor((x * columns) / canvas.width)] ?? Number.NaN;
      if (Number.isNaN(value)) continue; // stays empty
      const share = Math.min(1, Math.max(0, (value - low) / (high - low || 1))) * (steps.length - 1);
      const [from, to] = [steps[Math.floor(share)] ?? [], steps[Math.ceil(share)] ?? []];
      const at = 4 * (y * canvas.width + x);
      for (let part = 0; part < 3; part += 1) picture.data[at + part] = (from[part] ?? 0) + ((to[part] ?? 0) - (from[part] ?? 0)) * (share % 1);
      picture.data[at + 3] = 255;
    }
  }
  context.putImageData(picture, 0, 0);
}
