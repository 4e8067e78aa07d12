import assert from "node:assert/strict";
import { test } from "node:test";
import { byField, fieldOf } from "./fields.ts";

test("a mistake is shown at its field, in whichever way the gateway or the API server writes it", () => {
  for (const [path, field] of [
    ["space.axes.1.linspace.num", "space.axes.1"], ["spec.space.axes[2].values", "space.axes.2"], ["space.axes", "space.axes"], ["space", "space.axes"], ["spec.space.where", "space.where"],
    ["params.length", "params"], ["spec.template.params", "params"], ["container_image", "image"], ["spec.template.image", "image"], ["timeoutSeconds", "timeout_seconds"],
    ["spec.timeoutSeconds", "timeout_seconds"], ["resources.limits.cpu", "cpu"], ["pointsPerPod", "points_per_pod"], ["spec.parallelism", "parallelism"], ["sweep.3.x", "space.points"], ["labels.project", "labels"], ["metadata.labels", "labels"], ["metadata.paper", "metadata"],
  ] as const) assert.equal(fieldOf(path), field, path);
  assert.equal(fieldOf("tolerations.0.key"), undefined);
});

test("a mistake of no field of the form keeps its name", () => {
  const found = byField([{ location: "body", field: "params.length", detail: "must be a number" }, { location: "body", field: "tolerations.0", detail: "is bad" }, { location: "body", field: "image", detail: "is needed" }], () => true);
  assert.deepEqual([...found], [["params", ["params.length: must be a number"]], ["", ["tolerations.0: is bad"]], ["image", ["is needed"]]]);
});
