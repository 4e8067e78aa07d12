import assert from "node:assert/strict";
import { test } from "node:test";
import { Pages } from "./pages.ts";

test("a page that was refused is not asked for again by being drawn, and is once everything is read anew", async () => {
  let asked = 0;
  const failures: unknown[] = [];
  const pages: Pages<{ id: string }> = new Pages(
    async () => { asked += 1; throw new Error("refused"); },
    () => pages.look(0, 10),
    (error) => { failures.push(error); pages.look(0, 10); },
  );
  pages.look(0, 10);
  await new Promise((resolve) => setImmediate(resolve));
  pages.look(0, 10);
  assert.deepEqual([asked, failures.length], [1, 1]);
  pages.refresh();
  pages.look(0, 10);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(asked, 2);
  pages.clear();
});
