// The points of a sweep as the gateway answers them, and what all of them have (pure).

import type { Phase, Scalar, Sweep } from "./models.ts";

/** A row of a sweep's table. */
export interface Point {
  index: number;
  id: string;
  status: Phase;
  params: Record<string, Scalar>;
  reason?: string;
  exit_code?: number;
  seconds?: number;
  metrics?: Record<string, number>;
  reused?: string;
}

/** A sweep, with what it was ordered with. */
export interface WholeSweep extends Sweep {
  retries_per_point?: number;
  max_failed_points?: number;
  reuse?: boolean;
  batch?: boolean;
}

/** The gateway's table of a sweep is so old at most; what a change of the sweep tells stands in its points after that. */
export const SETTLED_MS = 11_000;

/** The name of how long a point took, beside its metrics. */
export const SECONDS = "seconds";

/** Return the names of all metrics of some points, `seconds` last if any took some. */
export function metricsOf(points: readonly Point[]): string[] {
  const names = new Set<string>();
  let hasSeconds = false;
  for (const point of points) {
    for (const name in point.metrics) names.add(name);
    hasSeconds ||= point.seconds !== undefined;
  }
  const sorted = [...names].sort();
  return hasSeconds && !names.has(SECONDS) ? [...sorted, SECONDS] : sorted;
}

/** Return a metric of a point; `seconds` is how long it took, unless it has a metric of that name. */
export function metricOf(point: Point, name: string): number | undefined {
  const value = point.metrics?.[name] ?? (name === SECONDS ? point.seconds : undefined);
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}
