// Cancelling, with a question before and a sentence after.

import { jobPath } from "../core/api.ts";
import { ProblemError, sentenceOf } from "../core/problem.ts";
import type { View } from "../page.ts";
import { ask } from "./dialog.ts";

const AT_ONCE = 8;

/** Ask, then cancel jobs; return the ids of those that are told to stop or had finished already, which is no error. */
export async function cancelJobs(view: View, ids: readonly string[]): Promise<string[]> {
  const [one] = ids;
  if (one === undefined) return [];
  const what = ids.length === 1 ? one : `${ids.length} jobs`;
  const text = "It is told to stop; what it has written by then is kept. This cannot be taken back.";
  if (!(await ask({ title: `Cancel ${what}?`, text, action: ids.length === 1 ? "Cancel the job" : `Cancel ${what}` }))) return [];
  let finished = 0;
  const refused: string[] = [];
  const done: string[] = [];
  const left = [...ids];
  async function work(): Promise<void> {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      try {
        await view.api.delete(jobPath(id));
        done.push(id);
      } catch (error) {
        if (error instanceof ProblemError && error.status === 409) {
          finished += 1;
          done.push(id);
        } else refused.push(`${id}: ${sentenceOf(error)}`);
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const cancelled = done.length - finished;
  const parts = [cancelled ? `${cancelled === 1 && ids.length === 1 ? one : cancelled} told to stop` : "", finished ? `${finished} had finished already` : ""];
  const said = parts.filter(Boolean).join(", ");
  if (said) view.tell(`${said}.`);
  if (refused.length) view.tell(refused.slice(0, 3).join(" "), "error");
  return done;
}
