import assert from "node:assert/strict";
import { test } from "node:test";
import type { Point } from "./points.ts";
import { chosen } from "./rows.ts";

const POINTS: Point[] = [
  { index: 0, id: "scan-0", status: "Succeeded", params: { n: 10, way: "ftcs" }, metrics: { error: 0.5 } },
  { index: 1, id: "scan-1", status: "Failed", params: { n: 9, way: "btcs" }, reason: "Error" },
  { index: 2, id: "scan-2", status: "Succeeded", params: { n: 100, way: "btcs" }, metrics: { error: 0.25 } },
  { index: 3, id: "scan-3", status: "Succeeded", params: { n: 9, way: "btcs" }, metrics: { error: 0.75 } },
];
const order = (choice: Parameters<typeof chosen>[1]): number[] => chosen(POINTS, choice).map((one) => one.index);

test("numbers are sorted by size, equal ones by their index, and what has no value stands last either way", () => {
  assert.deepEqual(order({}), [0, 1, 2, 3]);
  assert.deepEqual(order({ sort: "p:n" }), [1, 3, 0, 2]);
  assert.deepEqual(order({ sort: "-p:n" }), [2, 0, 1, 3]);
  assert.deepEqual(order({ sort: "m:error" }), [2, 0, 3, 1]);
  assert.deepEqual(order({ sort: "-m:error" }), [3, 0, 2, 1]);
});

test("rows are chosen by status, by parameters and by words", () => {
  assert.deepEqual(order({ status: "Failed" }), [1]);
  assert.deepEqual(order({ text: "way=btcs n=9" }), [1, 3]);
  assert.deepEqual(order({ text: "FTC" }), [0]);
  assert.deepEqual(order({ text: "error" }), [1]);
  assert.deepEqual(order({ also: (point) => point.index > 1, sort: "-index" }), [3, 2]);
});
