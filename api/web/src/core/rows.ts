// Rows of a sweep's table: which of them, in which order (pure).

import { inOrder } from "./axes.ts";
import type { Phase, Scalar } from "./models.ts";
import { metricOf, type Point } from "./points.ts";

/** A column by its key: `index`, `status`, `reason`, `p:<parameter>` or `m:<metric>`. */
export type ColumnKey = string;

/** Return what stands in a column. */
export function valueAt(point: Point, key: ColumnKey): Scalar | undefined {
  if (key === "index") return point.index;
  if (key === "status") return point.status;
  if (key === "reason") return point.reason;
  return key.startsWith("p:") ? point.params[key.slice(2)] : metricOf(point, key.slice(2));
}

export interface Choice {
  status?: Phase | undefined;
  /** Words, all of which must be in the row: `method=ftcs`, or a part of any value. */
  text?: string;
  /** The column, with a minus before it for the highest first. */
  sort?: string;
  also?: (point: Point) => boolean;
}

/** Return the points that are chosen, in order; those without a value stand last either way, equal ones by their index. */
export function chosen(points: readonly Point[], choice: Choice): Point[] {
  const words = (choice.text ?? "").trim().toLowerCase().split(/\s+/).filter(Boolean);
  const found = points.filter(
    (point) => (!choice.status || point.status === choice.status) && (choice.also?.(point) ?? true) && words.every((word) => says(point, word)),
  );
  const isDown = choice.sort?.startsWith("-") === true;
  const key = isDown ? (choice.sort ?? "").slice(1) : (choice.sort ?? "index");
  if (key === "index" && !isDown) return found;
  return found
    .map((point) => ({ point, value: valueAt(point, key) }))
    .sort((a, b) => {
      if (a.value === undefined || b.value === undefined) return Number(a.value === undefined) - Number(b.value === undefined) || a.point.index - b.point.index;
      return (isDown ? -inOrder(a.value, b.value) : inOrder(a.value, b.value)) || a.point.index - b.point.index;
    })
    .map(({ point }) => point);
}

function says(point: Point, word: string): boolean {
  const [, name, value] = /^([^=]+)=(.*)$/.exec(word) ?? [];
  if (name !== undefined) {
    const found = Object.entries(point.params).find(([one]) => one.toLowerCase() === name)?.[1];
    return found !== undefined && String(found).toLowerCase() === value;
  }
  return point.id.toLowerCase().includes(word) || (point.reason ?? "").toLowerCase().includes(word) || Object.values(point.params).some((one) => typeof one === "string" && one.toLowerCase().includes(word));
}
