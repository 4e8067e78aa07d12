// The list of jobs, points of sweeps among them.

import { html } from "lit-html";
import { assignment, between, ago, duration, moment } from "../core/format.ts";
import type { Job, JobStats } from "../core/models.ts";
import type { View } from "../page.ts";
import { link } from "../router.ts";
import { cancelJobs } from "../ui/cancel.ts";
import { Listing } from "../ui/listing.ts";

/** Return how long a run took, or has been running, in seconds. */
function secondsOf(job: Job): number | undefined {
  return job.seconds ?? between(job.started_at, job.completed_at ?? (job.started_at ? new Date().toISOString() : undefined));
}

export function show(view: View): void {
  const mayCancel = view.rights.may("patch", "jobs") || view.rights.may("patch", "sweeps");
  new Listing<Job>(view, {
    title: "Jobs",
    kind: "job",
    path: "/jobs",
    both: true, // points of sweeps are listed too
    open: (job) => view.go("job", { id: job.id }),
    counts: async () => {
      const namespace = view.query.get("namespace");
      return (await view.api.get<JobStats>("/jobs/stats", { namespace }, view.signal)).by_status;
    },
    columns: [
      { name: "state", title: "Status", cell: (job) => html`<span class="status ${job.status}" title=${job.reason ?? ""}>${job.status}</span>` },
      { name: "id", title: "Job", cell: (job) => html`<a tabindex="-1" href=${link("job", { id: job.id })}>${job.id}</a>` },
      { name: "params", title: "Parameters", cell: (job) => html`<span title=${assignment(job.params)}>${assignment(job.params)}</span>` },
      { name: "image", title: "Image", cell: (job) => html`<span title=${job.image}>${job.image}</span>` },
      { name: "took number", title: "Duration", cell: (job) => duration(secondsOf(job)) },
      { name: "age number", title: "Age", cell: (job) => html`<time datetime=${job.created_at} title=${moment(job.created_at)}>${ago(job.created_at, Date.now())}</time>` },
    ],
    ...(mayCancel
      ? {
          actions: (listing: Listing<Job>) => {
            const chosen = [...listing.selected];
            return chosen.length
              ? html`<span class="quiet">${chosen.length} selected</span>
                  <button class="small" @click=${() => { listing.selected.clear(); listing.draw(); }}>Clear</button>
                  <button class="small danger" @click=${() => void cancelJobs(view, chosen).then((done) => { for (const id of done) listing.selected.delete(id); listing.refresh(); listing.draw(); })}>Cancel…</button>`
              : html``;
          },
        }
      : {}),
  });
}
