// Points by ranges of their indexes: how each stretch of a sweep stands (pure).

import { PHASES, type Phase } from "./models.ts";
import type { Point } from "./points.ts";

export interface Stretch {
  first: number;
  last: number;
  counts: Partial<Record<Phase, number>>;
}

/** Return how points stand, in at most so many stretches of equal length; what is not known is Pending. */
export function stretches(points: readonly Point[], total: number, most: number): Stretch[] {
  const size = Math.max(1, Math.ceil(total / Math.max(1, most)));
  const found: Stretch[] = [];
  for (let first = 0; first < total; first += size) found.push({ first, last: Math.min(total, first + size) - 1, counts: {} });
  const known = new Uint32Array(found.length);
  for (const { index, status } of points) {
    const at = Math.floor(index / size);
    const one = found[at];
    if (!one) continue;
    one.counts[status] = (one.counts[status] ?? 0) + 1;
    known[at] = (known[at] ?? 0) + 1;
  }
  found.forEach((one, at) => {
    const left = one.last - one.first + 1 - (known[at] ?? 0);
    if (left > 0) one.counts.Pending = (one.counts.Pending ?? 0) + left;
  });
  return found;
}

/** Return a stretch as a sentence: `points 100–199: 98 Succeeded, 2 Failed`. */
export function stretchText(one: Stretch): string {
  const said = PHASES.filter((phase) => one.counts[phase]).map((phase) => `${one.counts[phase]} ${phase}`).join(", ");
  return `${one.first === one.last ? `point ${one.first}` : `points ${one.first}–${one.last}`}: ${said}`;
}

/** Return indexes as ranges, as an order to run points again takes them: `3,7-9`. */
export function rangesOf(indexes: readonly number[]): string {
  const sorted = [...new Set(indexes)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length; i += 1) {
    const first = sorted[i] ?? 0;
    let last = first;
    while (sorted[i + 1] === last + 1) {
      i += 1;
      last += 1;
    }
    parts.push(first === last ? String(first) : `${first}-${last}`);
  }
  return parts.join(",");
}

/** Return how many points ranges mean; undefined for what is no list of ranges. */
export function countOfRanges(text: string): number | undefined {
  let count = 0;
  for (const part of text.split(",")) {
    const [, from, to] = /^\s*(\d{1,7})(?:\s*-\s*(\d{1,7}))?\s*$/.exec(part) ?? [];
    if (from === undefined) return undefined;
    const length = Number(to ?? from) - Number(from) + 1;
    if (length < 1) return undefined;
    count += length;
  }
  return count;
}
