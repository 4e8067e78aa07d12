// How long to wait before the next attempt (pure).

const FIRST_SECONDS = 1;
const LONGEST_SECONDS = 30;

/** Return the seconds before attempt `failures + 1`: doubled each time, with a share that is drawn so that pages do not come all at once. */
export function pauseOf(failures: number, draw: () => number = Math.random, told?: number): number {
  const doubled = Math.min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** Math.max(0, failures - 1));
  return Math.max(told ?? 0, doubled * (0.75 + 0.25 * draw()));
}
