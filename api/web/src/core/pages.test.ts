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

test("under changes that come faster than answers each answer is shown, one request is on its way, and the last one is of after the last change", async () => {
  let version = 0;
  let [underway, most] = [0, 0];
  const answers: (() => void)[] = [];
  const shown: (string | undefined)[] = [];
  const pages: Pages<{ id: string }> = new Pages(
    async (_page, _size, signal) => {
      most = Math.max(most, (underway += 1));
      const id = `v${version}`;
      await new Promise<void>((resolve, reject) => {
        answers.push(resolve);
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      }).finally(() => { underway -= 1; });
      return { total: 1, items: [{ id }] };
    },
    () => {
      shown.push(pages.row(0)?.id);
      pages.look(0, 1);
    },
    (error) => { throw error; },
  );
  pages.look(0, 1);
  const answer = async (): Promise<void> => {
    answers.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  for (let i = 0; i < 3; i += 1) {
    for (let j = 0; j < 5; j += 1) {
      version += 1;
      pages.refresh();
      pages.look(0, 1);
    }
    await answer();
  }
  assert.deepEqual([shown, most], [["v0", "v5", "v10"], 1]);
  await answer();
  assert.deepEqual([shown.at(-1), underway, answers.length], ["v15", 0, 0]);
});
