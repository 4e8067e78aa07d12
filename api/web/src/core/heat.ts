// Points of a sweep as cells over two parameters (pure).

import type { Axis } from "./axes.ts";
import type { Scalar } from "./models.ts";
import { metricOf, type Point } from "./points.ts";

export interface Cell {
  /** Column and row: places among the bins of each axis. */
  x: number;
  y: number;
  /** The mean of the points in it; undefined when none of them has the metric. */
  mean: number | undefined;
  count: number;
  /** The first point in it, and the indexes of all of them. */
  points: number[];
}

export interface HeatGrid {
  xs: string[];
  ys: string[];
  cells: Cell[];
  low: number;
  high: number;
  /** Cells without any value. */
  missing: number;
}

/** Axes of more values than this are put into so many bins: samples have as many values as there are points. */
export const MOST_BINS = 64;

interface Binned {
  labels: string[];
  of: (value: Scalar | undefined) => number | undefined;
}

/** Return the cells of a metric over two axes; those into which no point falls are there too, without a value. */
export function heatGrid(points: readonly Point[], x: Axis, y: Axis, metric: string): HeatGrid {
  const most = Math.min(MOST_BINS, Math.max(4, Math.ceil(Math.sqrt(points.length))));
  const [across, up] = [binned(x, most), binned(y, most)];
  const width = across.labels.length;
  const cells: Cell[] = Array.from({ length: width * up.labels.length }, (_, i) => ({ x: i % width, y: Math.floor(i / width), mean: undefined, count: 0, points: [] }));
  for (const point of points) {
    const [column, row] = [across.of(point.params[x.name]), up.of(point.params[y.name])];
    const cell = column === undefined || row === undefined ? undefined : cells[row * width + column];
    if (!cell) continue;
    cell.points.push(point.index);
    const value = metricOf(point, metric);
    if (value === undefined) continue;
    cell.count += 1;
    cell.mean = (cell.mean ?? 0) + (value - (cell.mean ?? 0)) / cell.count;
  }
  let [low, high, missing] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const { mean } of cells) {
    if (mean === undefined) missing += 1;
    else [low, high] = [Math.min(low, mean), Math.max(high, mean)];
  }
  return { xs: across.labels, ys: up.labels, cells, low, high, missing };
}

function binned(axis: Axis, most: number): Binned {
  const exact = axis.values.length <= Math.max(most, MOST_BINS);
  if (exact || axis.kind === "category") {
    const shown = axis.values.slice(0, 4 * MOST_BINS);
    const places = new Map(shown.map((value, i) => [value, i]));
    return { labels: shown.map(short), of: (value) => (value === undefined ? undefined : places.get(value)) };
  }
  const by = axis.scale === "log" ? Math.log : (value: number): number => value;
  const back = axis.scale === "log" ? Math.exp : (value: number): number => value;
  const [low, high] = [by(axis.values[0] as number), by(axis.values.at(-1) as number)];
  const step = (high - low) / most || 1;
  return {
    labels: Array.from({ length: most }, (_, i) => short(back(low + (i + 0.5) * step))),
    of: (value) => (typeof value === "number" ? Math.min(most - 1, Math.max(0, Math.floor((by(value) - low) / step))) : undefined),
  };
}

/** Return a value with at most four digits. */
export function short(value: Scalar): string {
  return typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value);
}
