// What a dry run says, in sentences (pure).

import { count, duration } from "./format.ts";

/** What a request would become, as the gateway says. */
export interface Plan {
  points: number;
  points_exact: boolean;
  pods: number;
  parallelism: number;
  estimated_seconds: number | null;
  limit_seconds: number;
}

/** Return the facts of a forecast, name and value. */
export function forecastOf(plan: Plan): [string, string][] {
  const facts: [string, string][] = [
    ["Runs", `${plan.points_exact ? "" : "at most "}${count(plan.points)}`],
    ["Pods", `${plan.pods === 1 ? "" : "at most "}${count(plan.pods)}`],
    ["At once", count(plan.parallelism)],
    ["Estimated", plan.estimated_seconds === null ? "not known: nothing has finished here yet" : `about ${duration(Math.max(1, Math.round(plan.estimated_seconds)))}`],
    ["At most", duration(plan.limit_seconds)],
  ];
  return plan.points === 1 ? facts.filter(([name]) => name !== "At once") : facts;
}

/** Return what running points of a sweep again would take: seconds that each took (median), how many, and how many at once. */
export function rerunSeconds(seconds: readonly number[], points: number, atOnce: number): number | undefined {
  const sorted = seconds.filter((one) => Number.isFinite(one)).toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  return middle === undefined ? undefined : (middle * points) / Math.max(1, Math.min(points, atOnce));
}
