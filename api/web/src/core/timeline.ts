// What became of a run, step by step (pure).

import { between } from "./format.ts";
import type { Condition, Job } from "./models.ts";

export interface Step {
  title: string;
  reason: string;
  text: string;
  at: string | undefined;
  /** Seconds since the step before. */
  after: number | undefined;
  tone: "done" | "failed" | "waiting";
}

/** Return the steps in order: from the conditions where there are some, else from the run's own times. */
export function timelineOf(job: Job, conditions: readonly Condition[]): Step[] {
  const steps: Omit<Step, "after">[] = [{ title: "Created", reason: "", text: "", at: job.created_at, tone: "done" }];
  for (const one of conditions) {
    const isFailure = one.type === "Finished" && job.status === "Failed";
    steps.push({
      title: one.status === "True" ? words(one.type) : `${words(one.type)}: ${one.status === "False" ? "no" : "not known"}`,
      reason: one.reason === one.type ? "" : (one.reason ?? ""),
      text: one.message ?? "",
      at: one.last_transition_at,
      tone: isFailure ? "failed" : one.status === "True" ? "done" : "waiting",
    });
  }
  const has = (type: string): boolean => conditions.some((one) => one.type === type);
  if (job.started_at && !has("Started")) steps.push({ title: "Started", reason: "", text: "", at: job.started_at, tone: "done" });
  if (job.completed_at && !has("Finished")) {
    steps.push({ title: job.status, reason: job.reason ?? "", text: job.message ?? "", at: job.completed_at, tone: job.status === "Failed" ? "failed" : "done" });
  }
  steps.sort((a, b) => (a.at ?? "~").localeCompare(b.at ?? "~"));
  return steps.map((step, i) => ({ ...step, after: i ? between(steps[i - 1]?.at, step.at) : undefined }));
}

/** `ArtifactsStored` is Artifacts stored. */
function words(type: string): string {
  return type.replace(/(?<=[a-z])([A-Z])/g, (_, letter: string) => ` ${letter.toLowerCase()}`);
}
