// Parallel coordinates: an axis for each parameter that differs and for each metric, a line for each point (pure).

import { axisOf, placeOn, type Axis } from "./axes.ts";
import { metricOf, type Point } from "./points.ts";

export interface ParallelData {
  axes: Axis[];
  /** A place on each axis for each line; NaN where the point has none. */
  lines: { index: number; at: number[] }[];
  /** How many points there are of which lines are drawn. */
  total: number;
}

/** More lines than this cannot be told apart: then every so manyth point is drawn. */
export const MOST_LINES = 3000;
const MOST_AXES = 12;

/** Return lines through parameters and metrics; points without any of the metrics are left out. */
export function parallelData(points: readonly Point[], params: readonly Axis[], metrics: readonly string[]): ParallelData {
  const told = points.filter((point) => metrics.length === 0 || metrics.some((name) => metricOf(point, name) !== undefined));
  const step = Math.ceil(told.length / MOST_LINES) || 1;
  const drawn = told.filter((_, i) => i % step === 0);
  const shown = params.slice(0, Math.max(1, MOST_AXES - metrics.length));
  const measured = metrics.slice(0, MOST_AXES - shown.length).map((name) => axisOf(name, drawn.map((point) => metricOf(point, name)).filter((value) => value !== undefined)));
  const ranged = measured.map((axis) => ({ ...axis, kind: "number" as const }));
  const lines = drawn.map((point) => ({
    index: point.index,
    at: [...shown.map((axis) => placeOn(axis, point.params[axis.name])), ...ranged.map((axis) => metricOf(point, axis.name))].map((place) => place ?? Number.NaN),
  }));
  return { axes: [...shown, ...ranged], lines, total: told.length };
}

/** What is chosen on each axis: ranges of places, any of which a point must be in. */
export type Brushes = ReadonlyMap<string, readonly (readonly [number, number])[]>;

/** Return whether a point is within everything that is chosen. */
export function isWithin(point: Point, axes: readonly Axis[], brushes: Brushes): boolean {
  for (const axis of axes) {
    const ranges = brushes.get(axis.name);
    if (!ranges?.length) continue;
    const place = axis.name in point.params ? placeOn(axis, point.params[axis.name]) : metricOf(point, axis.name);
    if (place === undefined || !ranges.some(([low, high]) => place >= low && place <= high)) return false;
  }
  return true;
}
