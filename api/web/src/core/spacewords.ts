// A parameter space in words (pure).

import { scalar } from "./format.ts";
import type { Scalar } from "./models.ts";

/** An axis as the API has it: a name and one of the others. */
export interface SpaceAxis {
  name: string;
  values?: Scalar[];
  linspace?: { start: number; stop: number; num: number };
  logspace?: { start: number; stop: number; num: number };
  integers?: { low: number; high: number; step?: number };
  uniform?: { low: number; high: number };
  logUniform?: { low: number; high: number };
}

export interface Space {
  method?: string;
  axes?: SpaceAxis[];
  samples?: number;
  seed?: number;
  where?: string;
}

const SHOWN = 6;

/** Return which values an axis has. */
export function axisWords(axis: SpaceAxis): string {
  const { values, linspace, logspace, integers, uniform, logUniform } = axis;
  if (values) return values.length > SHOWN ? `${values.slice(0, SHOWN).map(scalar).join(", ")}, … (${values.length})` : values.map(scalar).join(", ");
  if (linspace) return `${scalar(linspace.start)} … ${scalar(linspace.stop)}, ${linspace.num} evenly`;
  if (logspace) return `${scalar(logspace.start)} … ${scalar(logspace.stop)}, ${logspace.num} by even ratios`;
  if (integers) return `integers ${integers.low} … ${integers.high}${integers.step && integers.step !== 1 ? ` by ${integers.step}` : ""}`;
  if (uniform) return `${scalar(uniform.low)} … ${scalar(uniform.high)}`;
  if (logUniform) return `${scalar(logUniform.low)} … ${scalar(logUniform.high)}, evenly in the logarithm`;
  return "";
}

/** Return what a space is: its method, how many samples, its seed and its condition. */
export function spaceWords(space: Space): string {
  const parts = [space.method ?? "grid"];
  if (space.samples !== undefined) parts.push(`${space.samples} samples`);
  if (space.seed !== undefined) parts.push(`seed ${space.seed}`);
  if (space.where) parts.push(`where ${space.where}`);
  return parts.join(", ");
}
