// Which mistake belongs to which field of the form (pure).

import type { FieldError } from "./problem.ts";

/** Names of fields in a request's JSON or in the object → the form's names, the longest first. */
const FIELDS: readonly [RegExp, string][] = [
  [/(^|\.)space\.axes[.[](\d+)/, "space.axes.$2"],
  [/(^|\.)space\.axes/, "space.axes"],
  [/(^|\.)space\.(points|pointsFrom)/, "space.points"],
  [/(^|\.)space\.(samples|seed|where|method)/, "space.$2"],
  [/(^|\.)sweep(\.|$)/, "space.points"],
  [/(^|\.)space/, "space.axes"],
  [/(^|\.)params/, "params"],
  [/(^|\.)labels(\.|$)/, "labels"],
  [/(^|\.)metadata(\.|$)/, "metadata"],
  [/(^|\.)env(\.|$)/, "env"],
  [/(^|\.)(container_image|image)$/, "image"],
  [/(^|\.)command/, "command"],
  [/(^|\.)args/, "args"],
  [/(^|\.)resources\.(limits|requests)\.cpu/, "cpu"],
  [/(^|\.)resources\.(limits|requests)\.memory/, "memory"],
  [/(^|\.)resources/, "resources"],
  [/(^|\.)(timeout_?seconds)$/i, "timeout_seconds"],
  [/(^|\.)(points_?per_?pod)$/i, "points_per_pod"],
  [/(^|\.)(retries_?per_?point)$/i, "retries_per_point"],
  [/(^|\.)(max_?failed_?points)$/i, "max_failed_points"],
  [/(^|\.)(parallelism|retries|namespace|network|reuse|batch)$/, "$2"],
];

/** Return the form's field that a mistake is about; undefined if it has none. */
export function fieldOf(path: string): string | undefined {
  const clean = path.replaceAll(/\[(\d+)\]/g, ".$1");
  for (const [pattern, name] of FIELDS) {
    const match = pattern.exec(clean);
    if (match) return name.replaceAll(/\$(\d)/g, (_, group: string) => match[Number(group)] ?? "");
  }
  return undefined;
}

/** Return mistakes by the form's fields; under "" those that no field has. */
export function byField(errors: readonly FieldError[], known: (field: string) => boolean): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { field, detail } of errors) {
    const own = fieldOf(field);
    const at = own !== undefined && known(own) ? own : "";
    found.set(at, [...(found.get(at) ?? []), at && fieldEnds(field, at) ? detail : `${field}: ${detail}`]);
  }
  return found;
}

/** Whether a path says no more than the field beside which it is shown. */
function fieldEnds(path: string, field: string): boolean {
  return path.replaceAll(/\[(\d+)\]/g, ".$1").toLowerCase().replaceAll("_", "").endsWith(field.toLowerCase().replaceAll("_", ""));
}
