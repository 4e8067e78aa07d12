import assert from "node:assert/strict";
import { test } from "node:test";
import { axisOf, placeOn, scaleOf, varied } from "./axes.ts";
import { parseCsv } from "./csv.ts";
import { differences, inAll } from "./differ.ts";
import { secondsLeft, throughput, withSample, type Sample } from "./eta.ts";
import { forecastOf, rerunSeconds } from "./forecast.ts";
import { heatGrid } from "./heat.ts";
import { isWithin, parallelData } from "./parallel.ts";
import { metricsOf, type Point } from "./points.ts";
import { countOfRanges, rangesOf, stretchText, stretches } from "./ranges.ts";

function point(index: number, params: Point["params"], error?: number): Point {
  return { index, id: `scan-${index}`, status: error === undefined ? "Pending" : "Succeeded", params, ...(error === undefined ? {} : { metrics: { error } }) };
}

test("only parameters that differ are axes, numbers by size and texts beside each other", () => {
  const axes = varied([{ params: { a: 2, b: 1, way: "x" } }, { params: { a: 10, b: 1, way: "y" } }, { params: { a: 2, b: 1, way: "y" } }]);
  assert.deepEqual(axes.map(({ name, kind, values }) => [name, kind, values]), [["a", "number", [2, 10]], ["way", "category", ["x", "y"]]]);
  assert.equal(varied([{ params: { a: 1 } }, { params: { a: "1" } }])[0]?.kind, "category");
});

test("a scale is logarithmic where the values are spaced so", () => {
  assert.equal(scaleOf([0.001, 0.01, 0.1, 1]), "log");
  assert.equal(scaleOf([1, 2, 4, 8]), "log");
  assert.equal(scaleOf([1, 2, 3, 4]), "linear");
  assert.equal(scaleOf([1, 26, 51, 76, 101]), "linear");
  assert.equal(scaleOf([0, 10, 1000]), "linear");
  assert.equal(scaleOf([-1, 10, 1000]), "linear");
  assert.equal(scaleOf([0.0013, 0.04, 0.09, 1.7]), "log");
});

test("cells have the mean of their points, and those without any have no value", () => {
  const points = [point(0, { a: 1, b: 1 }, 2), point(1, { a: 1, b: 1 }, 4), point(2, { a: 2, b: 1 }, 8), point(3, { a: 2, b: 2 }), point(4, { a: 1 }, 1)];
  const grid = heatGrid(points, axisOf("a", [1, 2]), axisOf("b", [1, 2]), "error");
  assert.deepEqual(grid.cells.map(({ mean, points: of }) => [mean, of]), [[3, [0, 1]], [8, [2]], [undefined, []], [undefined, [3]]]);
  assert.deepEqual([grid.low, grid.high, grid.missing], [3, 8, 2]);
});

test("samples that are all different are put into bins and none is lost", () => {
  const points = Array.from({ length: 1000 }, (_, i) => point(i, { a: 10 ** (i / 100), b: i }, i));
  const axes = varied(points);
  const [a, b] = axes;
  assert.ok(a && b);
  const grid = heatGrid(points, a, b, "error");
  assert.equal(grid.cells.reduce((sum, cell) => sum + cell.count, 0), 1000);
  assert.ok(grid.xs.length <= 64 && grid.ys.length <= 64);
});

test("lines are drawn through parameters and metrics, and what is chosen on an axis chooses points", () => {
  const points = [point(0, { a: 1, way: "x" }, 5), point(1, { a: 2, way: "y" }, 7), point(2, { a: 3, way: "y" })];
  const data = parallelData(points, varied(points), ["error"]);
  assert.deepEqual(data.lines, [{ index: 0, at: [1, 0, 5] }, { index: 1, at: [2, 1, 7] }]);
  const chosen = new Map([["a", [[1.5, 9]] as const], ["error", [[6, 8]] as const]]);
  assert.deepEqual(points.filter((one) => isWithin(one, data.axes, chosen)).map((one) => one.index), [1]);
  assert.equal(placeOn(axisOf("way", ["x", "y"]), "z"), undefined);
});

test("of very many points every so manyth line is drawn", () => {
  const points = Array.from({ length: 10_000 }, (_, i) => point(i, { a: i }, i));
  const data = parallelData(points, varied(points), ["error"]);
  assert.ok(data.lines.length <= 3000 && data.lines.length > 1000);
  assert.equal(data.total, 10_000);
});

test("what differs among runs stands first, and a number is no text", () => {
  const rows = differences([{ a: 1, b: 2, c: 1 }, { a: 1, b: 3, c: "1" }, { a: 1, b: 2 }]);
  assert.deepEqual(rows.map((row) => [row.name, row.isSame]), [["b", false], ["c", false], ["a", true]]);
  assert.deepEqual(rows[1]?.values, [1, "1", undefined]);
  assert.deepEqual(inAll([["x", "y", "z"], ["z", "x"], ["x", "z", "q"]]), ["x", "z"]);
});

test("one odd sample does not change how fast a sweep is", () => {
  let samples: Sample[] = [];
  for (let i = 0; i <= 20; i += 1) samples = withSample(samples, { at: i * 2, done: i * 10 + (i === 20 ? 5000 : 0) });
  assert.equal(throughput(samples), 5);
  assert.equal(secondsLeft(300, 200, 5), 20);
  assert.equal(secondsLeft(300, 200, undefined), undefined);
  assert.equal(secondsLeft(10, 10, undefined), 0);
});

test("at the beginning the mean since the start is how fast it is, and a sweep that is run again begins anew", () => {
  assert.equal(throughput([{ at: 110, done: 50 }], 100), 5);
  assert.equal(throughput([{ at: 110, done: 0 }], 100), undefined);
  assert.deepEqual(withSample([{ at: 1, done: 9 }], { at: 2, done: 3 }), [{ at: 2, done: 3 }]);
});

test("what was done in an earlier round does not make the present one seem faster", () => {
  // 9,990 of 10,000 points were done before; one of the ten that are run again ends in a hundred seconds.
  let samples: Sample[] = [{ at: 0, done: 0, round: 1 }, { at: 50, done: 5000, round: 1 }, { at: 100, done: 9990, round: 1 }];
  samples = withSample(samples, { at: 200, done: 9990, round: 2 });
  assert.equal(throughput(samples), undefined);
  samples = withSample(samples, { at: 300, done: 9991, round: 2 });
  assert.equal(throughput(samples), 0.01);
  assert.equal(secondsLeft(10_000, 9991, throughput(samples)), 900);
});

test("points are told by stretches, and what is not known yet is pending", () => {
  const points = Array.from({ length: 150 }, (_, i) => point(i, {}, i < 120 ? 1 : undefined));
  const found = stretches(points, 200, 2);
  assert.deepEqual(found.map((one) => one.counts), [{ Succeeded: 100 }, { Succeeded: 20, Pending: 80 }]);
  assert.equal(stretchText(found[1]!), "points 100–199: 80 Pending, 20 Succeeded");
  assert.equal(stretches([], 100_000, 400).length, 400);
});

test("indexes become ranges and back", () => {
  assert.equal(rangesOf([9, 3, 7, 8, 3]), "3,7-9");
  assert.equal(countOfRanges("3,7-9"), 4);
  for (const bad of ["", "a", "9-7", "1,,2", "-3"]) assert.equal(countOfRanges(bad), undefined);
});

test("a forecast is told in facts, and says what is not known", () => {
  const plan = { points: 12, points_exact: false, pods: 12, parallelism: 4, estimated_seconds: null, limit_seconds: 7200 };
  assert.deepEqual(forecastOf(plan)[0], ["Runs", "at most 12"]);
  assert.match(forecastOf(plan)[3]?.[1] ?? "", /not known/);
  assert.equal(rerunSeconds([1, 2, 30], 10, 4), 5);
  assert.equal(rerunSeconds([], 10, 4), undefined);
});

test("columns of numbers are told from texts, and an empty cell is no number", () => {
  const table = parseCsv('t,"a ""b""",way\r\n0,1.5,x\r\n1,,y\r\n2,nan,"p,q"\r\n');
  assert.deepEqual(table.columns.map((column) => column.name), ["t", 'a "b"', "way"]);
  assert.deepEqual([...(table.columns[1]?.numbers ?? [])], [1.5, Number.NaN, Number.NaN]);
  assert.equal(table.columns[2]?.numbers, undefined);
  assert.deepEqual(table.columns[2]?.texts, ["x", "y", "p,q"]);
  assert.equal(parseCsv("1,2\n3,4\n").rows, 2);
  assert.equal(parseCsv("a\n1\n2\n3\n", 2).isCut, true);
  assert.throws(() => parseCsv(""), /no rows/);
});

test("how long points took is a metric beside theirs", () => {
  assert.deepEqual(metricsOf([{ ...point(0, {}, 1), seconds: 2 }]), ["error", "seconds"]);
});
