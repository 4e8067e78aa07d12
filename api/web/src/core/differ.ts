// What differs among runs (pure).

import type { Scalar } from "./models.ts";

export interface Difference {
  name: string;
  /** The value of each run, undefined where it has none. */
  values: (Scalar | undefined)[];
  isSame: boolean;
}

/** Return a row for each name, those that differ first; 1 and "1" differ. */
export function differences(runs: readonly Readonly<Record<string, Scalar>>[]): Difference[] {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run)))];
  const rows = names.map((name) => {
    const values = runs.map((run) => run[name]);
    return { name, values, isSame: values.every((value) => value === values[0]) };
  });
  return [...rows.filter((row) => !row.isSame), ...rows.filter((row) => row.isSame)];
}

/** Return what is in all of the lists, in the order of the first. */
export function inAll(lists: readonly (readonly string[])[]): string[] {
  const [first, ...others] = lists.map((list) => new Set(list));
  return [...(first ?? [])].filter((name) => others.every((other) => other.has(name)));
}
