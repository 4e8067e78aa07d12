import assert from "node:assert/strict";
import { test } from "node:test";
import { Lines, shownText } from "./lines.ts";
import { Pages } from "./pages.ts";
import { EventParser, type StreamEvent } from "./sse.ts";
import { csvRows } from "./table.ts";
import { timelineOf } from "./timeline.ts";
import { MOST_PIXELS, scrollTo, shownRows } from "./window.ts";
import type { Job } from "./models.ts";

/** Numbers that are the same in every run. */
function drawn(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

test("events are the same however the stream is cut into pieces", () => {
  const text = ": hello\nretry: 1000\n\nevent: line\nid: 7\ndata: a\ndata: b\n\ndata:no space\r\n\r\nevent: end\rdata: {}\r\r";
  const whole = new EventParser().feed(text);
  assert.deepEqual(whole.map((one) => [one.name, one.data, one.id]), [["line", "a\nb", "7"], ["message", "no space", "7"], ["end", "{}", "7"]]);
  const random = drawn(3);
  for (let run = 0; run < 200; run += 1) {
    const parser = new EventParser();
    const events: StreamEvent[] = [];
    for (let at = 0; at < text.length; ) {
      const end = at + 1 + Math.floor(random() * 9);
      events.push(...parser.feed(text.slice(at, end)));
      at = end;
    }
    assert.deepEqual(events, whole);
  }
});

test("every row of a long list can be reached, and few are shown", () => {
  for (const total of [1, 50, 10_000, 1_000_000, 5_000_000]) {
    const { height } = shownRows(total, 18, 0, 600);
    assert.ok(height <= MOST_PIXELS);
    for (const row of [0, Math.floor(total / 3), total - 1]) {
      const scroll = scrollTo(row, total, 18, 0, 600);
      const shown = shownRows(total, 18, scroll, 600);
      assert.ok(shown.first <= row && row < shown.last, `${row} of ${total}: ${shown.first} to ${shown.last}`);
      assert.ok(shown.last - shown.first < 80);
    }
  }
});

test("a view without a height of its own does not bring all rows into the page", () => {
  const shown = shownRows(10_000, 32, 0, 320_000);
  assert.ok(shown.last - shown.first < 400);
});

test("wrapped rows put together are the lines", () => {
  const random = drawn(5);
  const texts = Array.from({ length: 300 }, (_, i) => String(i % 10).repeat(Math.floor(random() * 70)));
  const lines = new Lines();
  lines.append(texts.slice(0, 100));
  lines.wrap(16);
  lines.append(texts.slice(100));
  const found = texts.map(() => "");
  for (let row = 0; row < lines.rows; row += 1) {
    const at = lines.at(row);
    const [from, to] = lines.span(at);
    found[at.line] += lines.text(at.line).slice(from, to);
    if (at.part === 0) assert.equal(lines.rowOf(at.line), row);
  }
  assert.deepEqual(found, texts);
});

test("of a log that never ends only the last lines are kept, under their own numbers", () => {
  const lines = new Lines(1000);
  for (let i = 0; i < 50; i += 1) lines.append(Array.from({ length: 100 }, (_, j) => `line ${i * 100 + j}`));
  assert.equal(lines.count, 5000);
  assert.ok(lines.rows <= 1000 && lines.rows > 900);
  assert.equal(lines.dropped, 5000 - lines.rows);
  assert.equal(lines.text(4999), "line 4999");
  assert.equal(lines.at(0).line, lines.dropped);
  assert.deepEqual(lines.search("line 499", 0, 10_000).found, [4990, 4991, 4992, 4993, 4994, 4995, 4996, 4997, 4998, 4999]);
});

test("what a carriage return has overwritten and colours are not shown", () => {
  assert.equal(shownText(" 10 %\n 20 %\n 30 %"), " 30 %");
  assert.equal(shownText("\u001b[1;32mgood\u001b[0m"), "good");
});

test("CSV with quotes is read, and a row that is cut off is left out", () => {
  assert.deepEqual(csvRows('a,"b ""x"", y"\r\n1,2\n', 10), [["a", 'b "x", y'], ["1", "2"]]);
  assert.deepEqual(csvRows("a,b\n1,2\n3,", 10, true), [["a", "b"], ["1", "2"]]);
  assert.deepEqual(csvRows("a,b\n1,2", 10), [["a", "b"], ["1", "2"]]);
});

test("pages are fetched as they are looked at, and those that nobody waits for are given up", async () => {
  const asked: number[] = [];
  const given: AbortSignal[] = [];
  const pages = new Pages<{ id: string }>(
    async (page, size, signal) => {
      asked.push(page);
      given.push(signal);
      await Promise.resolve();
      return { total: 1000, items: Array.from({ length: size }, (_, i) => ({ id: String((page - 1) * size + i) })) };
    },
    () => {},
    (error) => assert.fail(String(error)),
  );
  pages.look(0, 40);
  pages.look(500, 540);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(asked, [1, 6]);
  assert.equal(given[0]?.aborted, true);
  assert.equal(pages.row(520)?.id, "520");
  assert.equal(pages.total, 1000);
});

test("a timeline has the conditions in order, and the times of the run where there are none", () => {
  const job = { id: "a", status: "Failed", created_at: "2026-11-24T09:00:00Z", started_at: "2026-11-24T09:00:02Z", completed_at: "2026-11-24T09:00:09Z" } as Job;
  assert.deepEqual(timelineOf(job, []).map((one) => [one.title, one.after, one.tone]), [["Created", undefined, "done"], ["Started", 2, "done"], ["Failed", 7, "failed"]]);
  const steps = timelineOf(job, [
    { type: "Finished", status: "True", reason: "ExitCode", last_transition_at: "2026-11-24T09:00:09Z" },
    { type: "ArtifactsStored", status: "False", last_transition_at: "2026-11-24T09:00:08Z" },
    { type: "Started", status: "True", last_transition_at: "2026-11-24T09:00:02Z" },
  ]);
  assert.deepEqual(steps.map((one) => one.title), ["Created", "Started", "Artifacts stored: no", "Finished"]);
});
