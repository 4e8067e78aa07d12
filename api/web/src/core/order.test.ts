import assert from "node:assert/strict";
import { test } from "node:test";
import type { Job } from "./models.ts";
import { emptyOrder, orderFrom, pointLines, pointsOf, requestOf, OrderError } from "./order.ts";
import type { WholeSweep } from "./points.ts";
import { lineOf, scalarOf, textOf, valuesOf, wordsOf } from "./words.ts";
import { readShown, readWritten, Written } from "./written.ts";

test("a command is split as a shell splits it, and comes back as it was", () => {
  assert.deepEqual(wordsOf(`python -m sim --name 'a b' "say \\"hi\\"" x\\ y ''`), ["python", "-m", "sim", "--name", "a b", 'say "hi"', "x y", ""]);
  for (const words of [["a"], ["a b", "it's", '"', "\\", ""], ["ü=1", "$(x)", "a\nb"]]) assert.deepEqual(wordsOf(lineOf(words)), words);
  assert.throws(() => wordsOf("say 'hi"), /single quote is not closed/);
});

test("values are numbers, true or false, or texts, and come back as they were", () => {
  assert.deepEqual(["1", "-2.5e-3", "true", "ftcs", '"1"', "007", "1e999", ".5"].map(scalarOf), [1, -0.0025, true, "ftcs", "1", "007", "1e999", ".5"]);
  for (const value of [1, 0.1, true, "true", "1", "a,b", "", "  ", 'say "x"', "line\nbreak"]) assert.deepEqual(scalarOf(textOf(value)), value);
  assert.deepEqual(valuesOf('1, 2.5, "a,b", ftcs,'), [1, 2.5, "a,b", "ftcs"]);
});

const HOW = {
  env: [{ name: "OMP_NUM_THREADS", value: " 4" }], network: "Internet", priority_class_name: "low", node_selector: { disk: "ssd" }, tolerations: [{ key: "spot" }], queue_name: "physics", pending_timeout_seconds: 900,
};

test("a run that is run again is ordered as it was", () => {
  const was = {
    id: "heat", name: "heat", namespace: "lab", image: "sim:1", command: ["python", "-m", "sim"], params: { n: 3, way: "a b", tag: "7" }, timeout_seconds: 60,
    resources: { limits: { cpu: "2", "ephemeral-storage": "1Gi" }, requests: { cpu: "1", memory: "1Gi" } }, metadata: { paper: "x" }, labels: { project: "heat", "simops.dev/owner": "x" },
    ...HOW, retries: 2, ttl_seconds_after_finished: 60,
  } as unknown as Job;
  assert.deepEqual(requestOf(orderFrom(was)), {
    namespace: "lab", image: "sim:1", command: ["python", "-m", "sim"], params: { n: 3, way: "a b", tag: "7" }, timeout_seconds: 60,
    resources: { limits: { cpu: "2", "ephemeral-storage": "1Gi" }, requests: { cpu: "1", memory: "1Gi" } }, metadata: { paper: "x" }, labels: { project: "heat" },
    ...HOW, retries: 2, ttl_seconds_after_finished: 60,
  });
  const counted = { ...was, resources: { limits: { cpu: 2 }, requests: { cpu: 1 } } } as unknown as Job;
  assert.deepEqual(requestOf(orderFrom(counted))["resources"], { limits: { cpu: "2" }, requests: { cpu: "1" } });
  const { requests } = requestOf({ ...orderFrom(was), cpu: "" })["resources"] as { requests: object };
  assert.deepEqual(requests, { memory: "1Gi" }); // what was asked beside a limit goes with it
});

test("a sweep that is run again is ordered as it was", () => {
  const space = { method: "sobol", samples: 64, seed: 7, where: "a < b", axes: [{ name: "a", uniform: { low: 0, high: 1 } }, { name: "way", values: ["x", "1", 2] }] };
  const was = { namespace: "default", image: "sim:1", params: { n: 1 }, space, parallelism: 4, points_per_pod: "auto", retries_per_point: 0, max_failed_points: 3, reuse: true, batch: true, ...HOW } as unknown as WholeSweep;
  const body = requestOf(orderFrom(was));
  for (const [name, value] of Object.entries({ ...HOW, reuse: true, batch: true })) assert.deepEqual(body[name], value, name);
  assert.equal("ttl_seconds_after_finished" in requestOf({ ...orderFrom(was), kept: { ttl_seconds_after_finished: 5 } }), false);
  assert.deepEqual(body["space"], space);
  assert.deepEqual([body["parallelism"], body["points_per_pod"], body["retries_per_point"], body["max_failed_points"]], [4, "auto", 0, 3]);
});

test("labels are sent as names and values, and those of SimOps and Kubernetes are not given on", () => {
  const order = { ...emptyOrder("lab"), labels: [{ name: " project ", value: " heat" }, { name: "empty", value: "" }, { name: "", value: " " }] };
  assert.deepEqual(requestOf(order)["labels"], { project: "heat", empty: "" });
  assert.equal("labels" in requestOf({ ...order, labels: [{ name: "", value: "" }] }), false);
  const was = { namespace: "lab", image: "sim:1", labels: { project: "heat", "app.kubernetes.io/name": "x", "simops.dev/job": "x" } } as unknown as Job;
  assert.deepEqual(orderFrom(was).labels, [{ name: "project", value: "heat" }]);
});

test("what cannot be ordered says at which field", () => {
  const order = { ...emptyOrder("default"), isSweep: true };
  const field = (change: Partial<typeof order>): string => {
    try {
      requestOf({ ...order, ...change });
    } catch (error) {
      return error instanceof OrderError ? error.field : "other";
    }
    return "none";
  };
  assert.equal(field({}), "space.axes");
  assert.equal(field({ axes: [{ name: "a", kind: "linspace", fields: { start: "0", stop: "1" } }] }), "space.axes.0");
  assert.equal(field({ method: "sobol", axes: [{ name: "a", kind: "uniform", fields: { low: "0", high: "1" } }] }), "space.samples");
  assert.equal(field({ method: "list", points: "a=1\nb" }), "space.points");
  assert.equal(field({ isSweep: false, params: [{ name: "a", value: "1" }, { name: "a", value: "2" }] }), "params");
  assert.equal(field({ isSweep: false, timeLimit: "soon" }), "timeout_seconds");
  assert.equal(field({ isSweep: false, env: [{ name: " ", value: "1" }] }), "env");
  assert.equal(field({ isSweep: false, labels: [{ name: " ", value: "1" }] }), "labels");
  assert.equal(field({ isSweep: false, labels: [{ name: "a", value: "1" }, { name: "a", value: "2" }] }), "labels");
});

test("points that are written out come back as they were", () => {
  const points = [{ a: 1, way: "x, y" }, { a: 0.5, way: "7", on: true }];
  assert.deepEqual(pointsOf(pointLines(points)), points);
  assert.deepEqual(pointsOf(JSON.stringify(points)), points);
  assert.deepEqual(pointsOf(points.map((one) => JSON.stringify(one)).join("\n")), points);
});

test("1 and 1.0 stay two values from the gateway to the form and back", () => {
  const was = readWritten('{"id":"heat","namespace":"default","image":"sim:local","params":{"length":1.0,"steps":200}}') as Parameters<typeof orderFrom>[0];
  assert.match(JSON.stringify(requestOf(orderFrom(was))), /"params":\{"length":1\.0,"steps":200\}/);
});

test("numbers that JavaScript would write otherwise stay as they were written", () => {
  for (const text of ["9007199254740993", "-123456789012345678901234567890", "1.0", "1e3"]) {
    const read = scalarOf(text);
    assert.ok((read as unknown) instanceof Written, text);
    assert.equal(String(read), text);
    assert.equal(textOf(read), text);
    for (const points of [`[{"a": ${text}}]`, `{"a": ${text}}`, `a=${text}`]) assert.equal(String(pointsOf(points)[0]?.["a"]), text);
  }
  for (const text of ["9007199254740991", "0.5", "7"]) assert.equal(typeof scalarOf(text), "number");
});

test("whole numbers that JavaScript would round are shown with all their digits", () => {
  const text = '{"params": {"seed": 12345678901234567890, "low": -9007199254740993, "steps": 9007199254740991, "dt": 1e300}, "more": [1234567890123456789]}';
  assert.deepEqual(readShown(text), {
    params: { seed: "12345678901234567890", low: "-9007199254740993", steps: 9007199254740991, dt: 1e300 },
    more: ["1234567890123456789"],
  });
  assert.deepEqual(readShown('{"a": 1.5, "b": ["x"]}'), { a: 1.5, b: ["x"] });
});
