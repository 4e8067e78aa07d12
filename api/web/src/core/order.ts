// What is ordered: the state of the form, and the request that it means (pure).

import type { Job, Scalar } from "./models.ts";
import type { WholeSweep } from "./points.ts";
import { lineOf, scalarOf, textOf, valuesOf, wordsOf } from "./words.ts";
import { readWritten } from "./written.ts";

export const METHODS = ["grid", "zip", "random", "latinHypercube", "sobol", "list"] as const;
export type Method = (typeof METHODS)[number];
export const SAMPLED: ReadonlySet<string> = new Set(["random", "latinHypercube", "sobol"]);

/** Kinds of axes, with their fields in order. */
export const AXES: Readonly<Record<string, readonly string[]>> = {
  values: ["values"],
  linspace: ["start", "stop", "num"],
  logspace: ["start", "stop", "num"],
  integers: ["low", "high", "step"],
  uniform: ["low", "high"],
  logUniform: ["low", "high"],
};

/** Return the kinds of axes that a method takes. */
export function kindsFor(method: Method): string[] {
  return SAMPLED.has(method) ? ["uniform", "logUniform", "integers", "values"] : ["values", "linspace", "logspace", "integers"];
}

export interface AxisForm {
  name: string;
  kind: string;
  /** What is typed into the fields of its kind. */
  fields: Record<string, string>;
}

export interface Order {
  isSweep: boolean;
  name: string;
  namespace: string;
  image: string;
  command: string;
  args: string;
  params: { name: string; value: string }[];
  method: Method;
  axes: AxisForm[];
  samples: string;
  seed: string;
  where: string;
  points: string;
  /** A list that lies in the store already, as the space names it. */
  pointsFrom: unknown;
  parallelism: string;
  pointsPerPod: string;
  retries: string;
  maxFailed: string;
  timeLimit: string;
  cpu: string;
  memory: string;
  gpu: string;
  /** Resources that have no field here, kept as they were. */
  otherLimits: Record<string, string>;
  requests: Record<string, string>;
  /** Resources that were requested without a limit. */
  alone: readonly string[];
  env: { name: string; value: string }[];
  /** None, Cluster or Internet; empty: the default. */
  network: string;
  reuse: boolean;
  batch: boolean;
  /** Fields of a request that have no field here, kept as they were. */
  kept: Body;
  metadata: { name: string; value: string }[];
  /** By which lists can be filtered. */
  labels: { name: string; value: string }[];
}

export type Body = Record<string, unknown>;

export function emptyOrder(namespace: string): Order {
  return {
    isSweep: false, name: "", namespace, image: "", command: "", args: "", params: [{ name: "", value: "" }], method: "grid", axes: [{ name: "", kind: "values", fields: {} }], samples: "", seed: "", where: "", points: "",
    pointsFrom: undefined, parallelism: "", pointsPerPod: "", retries: "", maxFailed: "", timeLimit: "", cpu: "", memory: "", gpu: "", otherLimits: {}, requests: {}, alone: [], env: [], network: "", reuse: false, batch: false, kept: {}, metadata: [], labels: [],
  };
}

/** Fields that are kept as they were when something is run again. */
const KEPT = ["priority_class_name", "node_selector", "tolerations", "queue_name", "pending_timeout_seconds", "ttl_seconds_after_finished"] as const;
/** Those of them that a sweep does not have. */
const OF_RUNS: ReadonlySet<string> = new Set(["ttl_seconds_after_finished"]);

const GPU = "nvidia.com/gpu";

function rowsOf(values: Readonly<Record<string, Scalar>> | undefined): { name: string; value: string }[] {
  return Object.entries(values ?? {}).map(([name, value]) => ({ name, value: textOf(value) }));
}

/** Return the form for a run, or a sweep, as it was. */
export function orderFrom(was: Job | WholeSweep): Order {
  const { cpu = "", memory = "", [GPU]: gpu = "", ...otherLimits } = quantities(was.resources?.limits);
  const sweep = "space" in was ? was : undefined;
  const told = (value: unknown): string => (value === undefined || value === null ? "" : String(value));
  const requests = quantities(was.resources?.requests);
  const order: Order = {
    ...emptyOrder(was.namespace),
    image: was.image, command: lineOf(was.command ?? []), args: lineOf(was.args ?? []), params: rowsOf(was.params),
    timeLimit: told(was.timeout_seconds), retries: "retries" in was ? told(was.retries) : "", cpu, memory, gpu, otherLimits, requests, alone: Object.keys(requests).filter((name) => was.resources?.limits?.[name] === undefined),
    env: (was.env ?? []).map(({ name, value }) => ({ name, value: value ?? "" })), network: was.network ?? "",
    kept: Object.fromEntries(KEPT.map((name) => [name, (was as unknown as Body)[name]]).filter(([, value]) => value !== undefined)),
    // Text as it is: values of metadata are not typed, so quotes would stay.
    metadata: Object.entries(was.metadata ?? {}).map(([name, value]) => ({ name, value })), labels: ownLabels(was.labels),
  };
  if (!sweep) return order;
  const { space } = sweep;
  return {
    ...order, isSweep: true, reuse: sweep.reuse ?? false, batch: sweep.batch ?? false, method: METHODS.find((one) => one === space["method"]) ?? "grid", axes: axesOf(space["axes"]),
    samples: told(space["samples"]), seed: told(space["seed"]), where: told(space["where"]), pointsFrom: space["pointsFrom"],
    parallelism: told(sweep.parallelism), pointsPerPod: told(sweep.points_per_pod), retries: told(sweep.retries_per_point), maxFailed: told(sweep.max_failed_points),
  };
}

/** In an object a quantity may be a number, too. */
function quantities(found: Readonly<Record<string, unknown>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(found ?? {}).map(([name, value]) => [name, String(value)]));
}

/** Labels that SimOps and Kubernetes set themselves are not given to another object. */
function ownLabels(labels: Readonly<Record<string, string>> | undefined): Order["labels"] {
  return Object.entries(labels ?? {}).filter(([name]) => !/(^|\.)(simops\.dev|kubernetes\.io|k8s\.io)\//.test(name)).map(([name, value]) => ({ name, value }));
}

function axesOf(found: unknown): AxisForm[] {
  if (!Array.isArray(found)) return [];
  return found.map((axis: Record<string, unknown>) => {
    const kind = Object.keys(AXES).find((one) => axis[one] !== undefined) ?? "values";
    const how = axis[kind];
    const fields = kind === "values" ? { values: (how as Scalar[]).map(textOf).join(", ") } : Object.fromEntries(Object.entries((how ?? {}) as Record<string, Scalar>).map(([name, value]) => [name, String(value)]));
    return { name: String(axis["name"] ?? ""), kind, fields };
  });
}

/** A mistake that is seen before the gateway is asked. */
export class OrderError extends Error {
  override readonly name = "OrderError";
  readonly field: string;

  constructor(field: string, detail: string) {
    super(detail);
    this.field = field;
  }
}

/** Return the request of a form. Fields that are empty are left out. Throws OrderError for what cannot be written as a request. */
export function requestOf(order: Order): Body {
  const limits = { ...order.otherLimits, ...given({ cpu: order.cpu, memory: order.memory, [GPU]: order.gpu }) };
  const requests = Object.fromEntries(Object.entries(order.requests).filter(([name]) => name in limits || order.alone.includes(name)));
  const body: Body = {
    name: order.name.trim() || undefined,
    namespace: order.namespace || undefined,
    image: order.image.trim() || undefined,
    command: words("command", order.command),
    args: words("args", order.args),
    params: paramsOf(order.params),
    timeout_seconds: number("timeout_seconds", order.timeLimit),
    env: envOf(order.env),
    resources: some({ ...(some(limits) ? { limits } : {}), ...(some(requests) ? { requests } : {}) }),
    network: order.network || undefined,
    metadata: some(Object.fromEntries(order.metadata.filter((row) => row.name.trim()).map((row) => [row.name.trim(), String(row.value)]))),
    labels: labelsOf(order.labels),
    retries: order.isSweep ? undefined : number("retries", order.retries),
    ...Object.fromEntries(Object.entries(order.kept).filter(([name]) => !order.isSweep || !OF_RUNS.has(name))),
  };
  if (order.isSweep) {
    body["space"] = spaceOf(order);
    body["parallelism"] = number("parallelism", order.parallelism);
    body["points_per_pod"] = order.pointsPerPod.trim() === "auto" ? "auto" : number("points_per_pod", order.pointsPerPod);
    body["retries_per_point"] = number("retries_per_point", order.retries);
    body["max_failed_points"] = number("max_failed_points", order.maxFailed);
    body["reuse"] = order.reuse || undefined;
    body["batch"] = order.batch || undefined;
  }
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

function given(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));
}

function some<T extends object>(values: T): T | undefined {
  return Object.keys(values).length ? values : undefined;
}

function words(field: string, line: string): string[] | undefined {
  try {
    const found = wordsOf(line);
    return found.length ? found : undefined;
  } catch (error) {
    throw new OrderError(field, (error as Error).message);
  }
}

function number(field: string, text: string): number | undefined {
  const said = text.trim();
  if (!said) return undefined;
  const value = Number(said);
  if (!Number.isFinite(value)) throw new OrderError(field, "must be a number");
  return value;
}

/** Values are texts as they are: nothing is quoted or trimmed. */
function envOf(rows: Order["env"]): { name: string; value: string }[] | undefined {
  const found = rows.filter(({ name, value }) => name.trim() || value).map(({ name, value }) => ({ name: name.trim(), value }));
  const nameless = found.find(({ name }) => !name);
  if (nameless) throw new OrderError("env", `the value ${nameless.value} has no name`);
  return found.length ? found : undefined;
}

function labelsOf(rows: Order["labels"]): Record<string, string> | undefined {
  const found = rows.map(({ name, value }) => [name.trim(), value.trim()] as const).filter(([name, value]) => name || value);
  const nameless = found.find(([name]) => !name);
  if (nameless) throw new OrderError("labels", `the value ${nameless[1]} has no name`);
  const twice = found.find(([name], i) => found.findIndex(([one]) => one === name) !== i);
  if (twice) throw new OrderError("labels", `${twice[0]} is there twice`);
  return some(Object.fromEntries(found));
}

function paramsOf(rows: Order["params"]): Record<string, Scalar> | undefined {
  const found: Record<string, Scalar> = {};
  for (const { name, value } of rows) {
    if (!name.trim() && !value.trim()) continue;
    if (!name.trim()) throw new OrderError("params", `the value ${value.trim()} has no name`);
    if (name.trim() in found) throw new OrderError("params", `${name.trim()} is there twice`);
    found[name.trim()] = scalarOf(value);
  }
  return some(found);
}

function spaceOf(order: Order): Body {
  if (order.method === "list") return { method: "list", ...(order.pointsFrom && !order.points.trim() ? { pointsFrom: order.pointsFrom } : { points: pointsOf(order.points) }) };
  const axes = order.axes.filter((axis) => axis.name.trim() || Object.values(axis.fields).some((field) => field.trim())).map((axis, i) => axisOf(axis, i));
  if (!axes.length) throw new OrderError("space.axes", "name at least one parameter that varies");
  const space: Body = { method: order.method, axes };
  if (order.where.trim()) space["where"] = order.where.trim();
  if (SAMPLED.has(order.method)) {
    space["samples"] = number("space.samples", order.samples);
    space["seed"] = number("space.seed", order.seed);
    if (space["samples"] === undefined) throw new OrderError("space.samples", "is needed: how many points");
    if (space["seed"] === undefined) delete space["seed"];
  }
  return space;
}

function axisOf(axis: AxisForm, i: number): Body {
  const name = axis.name.trim();
  if (!name) throw new OrderError(`space.axes.${i}`, "the axis has no name");
  if (axis.kind === "values") {
    const values = valuesOf(axis.fields["values"] ?? "");
    if (!values.length) throw new OrderError(`space.axes.${i}`, `${name} has no values`);
    return { name, values };
  }
  const how: Record<string, number> = {};
  for (const field of AXES[axis.kind] ?? []) {
    const value = number(`space.axes.${i}`, axis.fields[field] ?? "");
    if (value !== undefined) how[field] = value;
    else if (field !== "step") throw new OrderError(`space.axes.${i}`, `${name}: ${field} is missing`);
  }
  return { name, [axis.kind]: how };
}

/** Return points that are written out: a JSON list, an object a line, or `a=1, b=2` a line. */
export function pointsOf(text: string): Record<string, Scalar>[] {
  const said = text.trim();
  if (!said) throw new OrderError("space.points", "there are no points");
  try {
    if (said.startsWith("[")) return readWritten(said) as Record<string, Scalar>[];
  } catch (error) {
    throw new OrderError("space.points", `this is no JSON: ${(error as Error).message}`);
  }
  return said.split("\n").filter((line) => line.trim()).map((line, i) => {
    try {
      if (line.trim().startsWith("{")) return readWritten(line) as Record<string, Scalar>;
    } catch (error) {
      throw new OrderError("space.points", `line ${i + 1} is no JSON: ${(error as Error).message}`);
    }
    return Object.fromEntries((line.match(/(?:"(?:[^"\\]|\\.)*"|[^,])+/g) ?? []).map((part) => {
      const [, name, value] = /^\s*([^=\s]+)\s*=\s*(.*)$/s.exec(part) ?? [];
      if (!name) throw new OrderError("space.points", `line ${i + 1}: write name=value, not ${part.trim()}`);
      return [name, scalarOf(value ?? "")];
    }));
  });
}

/** Return points as `pointsOf` reads them, one a line. */
export function pointLines(points: readonly Readonly<Record<string, Scalar>>[]): string {
  return points.map((point) => Object.entries(point).map(([name, value]) => `${name}=${textOf(value)}`).join(", ")).join("\n");
}
