// Running points of a sweep again: which of them, what it will take, and the order.

import { html, render } from "lit-html";
import { sweepPath } from "../core/api.ts";
import { rerunSeconds } from "../core/forecast.ts";
import { count, duration } from "../core/format.ts";
import { sentenceOf } from "../core/problem.ts";
import type { Point, WholeSweep } from "../core/points.ts";
import { countOfRanges, rangesOf } from "../core/ranges.ts";
import type { View } from "../page.ts";
import { newKey } from "./key.ts";

type Which = "failed" | "missing" | "ranges";

/** Ask which points to run again, and order it. Return the sweep as it is then; undefined when nothing was ordered. */
export function rerunPoints(view: View, sweep: WholeSweep, points: readonly Point[], selected: readonly number[]): Promise<WholeSweep | undefined> {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "rerun-title");
  const failed = sweep.points.by_status.Failed ?? 0;
  let which: Which = selected.length ? "ranges" : failed ? "failed" : "missing";
  let ranges = rangesOf(selected);
  let [problem, isBusy] = ["", false];
  let done: WholeSweep | undefined;
  // The same order is carried out once, however often it is sent.
  let key = newKey();
  const took = points.map((point) => point.seconds).filter((one) => one !== undefined);

  const many = (): number | undefined => (which === "failed" ? failed : which === "ranges" ? countOfRanges(ranges) : undefined);
  const forecast = (): string => {
    const number = many();
    if (which === "ranges" && !ranges.trim()) return "Give points, such as 3,7-9.";
    if (which === "ranges" && number === undefined) return "Points are numbers and ranges with commas between them, such as 3,7-9.";
    if (number === undefined) return "Points whose results are no longer in the store. How many there are is seen when it begins.";
    const seconds = rerunSeconds(took, number, sweep.parallelism ?? 10);
    return `${count(number)} ${number === 1 ? "point" : "points"}${seconds === undefined ? "" : `, about ${duration(Math.max(1, Math.round(seconds)))} if each takes as long as half of them did`}.`;
  };
  const send = async (): Promise<void> => {
    [isBusy, problem] = [true, ""];
    draw();
    try {
      done = await view.api.post<WholeSweep>(sweepPath(sweep.id, "rerun"), { points: which === "ranges" ? ranges.replaceAll(/\s/g, "") : which, id: key });
      dialog.close("yes");
    } catch (error) {
      [isBusy, problem] = [false, sentenceOf(error)];
      draw();
    }
  };
  const choose = (wanted: Which): void => {
    which = wanted;
    key = newKey();
    draw();
  };
  const option = (value: Which, text: string, isThere = true): unknown =>
    html`<label class="check"><input type="radio" name="which" value=${value} .checked=${which === value} ?disabled=${!isThere} @change=${() => choose(value)} /> ${text}</label>`;
  function draw(): void {
    const number = many();
    render(
      html`<h2 id="rerun-title">Run points of ${sweep.id} again</h2>
        <fieldset class="choices"><legend class="hidden">Which points</legend>
          ${option("failed", `what failed (${count(failed)})`, failed > 0)} ${option("missing", "what has no result any more")} ${option("ranges", "these points")}
          <input aria-label="Points" placeholder="3,7-9" .value=${ranges} ?disabled=${which !== "ranges"} spellcheck="false"
            @input=${(event: Event) => {
              ranges = (event.target as HTMLInputElement).value;
              choose("ranges");
            }} />
        </fieldset>
        <p class="hint" role="status">${forecast()}</p>
        ${problem ? html`<p class="problem" role="alert">${problem}</p>` : ""}
        <div class="toolbar">
          <button @click=${() => dialog.close()}>Leave as it is</button>
          <button class="primary" ?disabled=${isBusy || number === 0 || (which === "ranges" && number === undefined)} @click=${() => void send()}>Run again</button>
        </div>`,
      dialog,
    );
  }
  draw();
  document.body.append(dialog);
  dialog.showModal();
  const leave = (): void => dialog.close();
  view.signal.addEventListener("abort", leave);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      view.signal.removeEventListener("abort", leave);
      dialog.remove();
      resolve(done);
    });
  });
}
