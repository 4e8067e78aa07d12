import assert from "node:assert/strict";
import { test } from "node:test";
import { coalesce } from "./coalesce.ts";

test("however often work is told to begin, it goes on once at a time and is done once more after the last call", async () => {
  const ends: (() => void)[] = [];
  let begun = 0;
  const begin = coalesce(() => {
    begun += 1;
    return new Promise((resolve) => ends.push(resolve));
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  for (let i = 0; i < 4; i += 1) begin();
  assert.equal(begun, 1);
  ends.shift()?.();
  await turn();
  assert.equal(begun, 2);
  ends.shift()?.();
  await turn();
  assert.equal(begun, 2);
  begin();
  assert.equal(begun, 3);
});
