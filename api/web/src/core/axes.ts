// Which parameters vary among points, and on what scale they are drawn (pure).

import type { Scalar } from "./models.ts";

export interface Axis {
  name: string;
  /** Numbers are placed by their size, everything else one beside the other. */
  kind: "number" | "category";
  scale: "linear" | "log";
  /** The different values, in their order. */
  values: Scalar[];
}

/** Spread over more than this factor, positive values are drawn on a logarithmic scale, unless their distances are even. */
const WIDE = 20;
const EVEN = 0.05;

interface HasParams {
  params: Readonly<Record<string, Scalar>>;
}

/** Return the parameters that differ among points, in the order in which the points name them. */
export function varied(points: readonly HasParams[]): Axis[] {
  const found = new Map<string, Map<string, Scalar>>();
  for (const { params } of points) {
    for (const name in params) {
      const value = params[name];
      if (value === undefined) continue;
      let values = found.get(name);
      if (!values) found.set(name, (values = new Map()));
      values.set(`${typeof value}:${value}`, value);
    }
  }
  const axes: Axis[] = [];
  for (const [name, values] of found) if (values.size > 1) axes.push(axisOf(name, [...values.values()]));
  return axes;
}

/** Return an axis of these different values. */
export function axisOf(name: string, values: readonly Scalar[]): Axis {
  const isNumbers = values.every((value) => typeof value === "number" && Number.isFinite(value));
  if (!isNumbers) return { name, kind: "category", scale: "linear", values: [...values].sort(inOrder) };
  const sorted = (values as number[]).toSorted((a, b) => a - b);
  return { name, kind: "number", scale: scaleOf(sorted), values: sorted };
}

/** Return the scale for numbers: logarithmic when they are positive, far apart, and more evenly so by their ratios. */
export function scaleOf(sorted: readonly number[]): "linear" | "log" {
  const [first, last] = [sorted[0] ?? 0, sorted.at(-1) ?? 0];
  if (first <= 0 || sorted.length < 2) return "linear";
  if (sorted.length > 2) {
    const [even, ratio] = [unevenness(sorted), unevenness(sorted.map(Math.log))];
    if (even < EVEN) return "linear";
    if (ratio < EVEN) return "log";
  }
  return last / first >= WIDE ? "log" : "linear";
}

/** Return how much the distances of neighbours differ, as a share of their mean. */
function unevenness(sorted: readonly number[]): number {
  const steps = sorted.slice(1).map((value, i) => value - (sorted[i] ?? 0));
  const mean = steps.reduce((sum, step) => sum + step, 0) / steps.length;
  return mean > 0 ? Math.max(...steps.map((step) => Math.abs(step - mean))) / mean : 0;
}

/** Order values: numbers by size, then everything else as text. */
export function inOrder(a: Scalar | undefined, b: Scalar | undefined): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "number") return -1;
  if (typeof b === "number") return 1;
  const [left, right] = [String(a ?? ""), String(b ?? "")];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Return where a value stands on an axis: itself, or its place among the categories; undefined when it is not there. */
export function placeOn(axis: Axis, value: Scalar | undefined): number | undefined {
  if (axis.kind === "number") return typeof value === "number" && Number.isFinite(value) ? value : undefined;
  const at = axis.values.indexOf(value as Scalar);
  return at < 0 ? undefined : at;
}
