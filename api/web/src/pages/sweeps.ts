// The list of sweeps.

import { html, type TemplateResult } from "lit-html";
import { ago, count, moment } from "../core/format.ts";
import { PHASES, type Sweep } from "../core/models.ts";
import type { View } from "../page.ts";
import { link } from "../router.ts";
import { Listing } from "../ui/listing.ts";

/** Return how far a sweep is, as a bar with a sentence. */
function progress(sweep: Sweep): TemplateResult {
  const { total, by_status } = sweep.points;
  const said = PHASES.filter((phase) => by_status[phase]).map((phase) => `${count(by_status[phase] ?? 0)} ${phase}`);
  const order = ["Succeeded", "Failed", "Cancelled", "Running"] as const;
  return html`<span class="progress" role="img" aria-label=${said.join(", ") || "no points yet"} title=${said.join(", ")}>
    ${order.map((phase) => html`<i class=${phase} .style=${`width:${total ? (100 * (by_status[phase] ?? 0)) / total : 0}%`}></i>`)}
  </span>`;
}

/** Return the varied parameters and how they are combined. */
function space(sweep: Sweep): string {
  const axes = Array.isArray(sweep.space["axes"]) ? (sweep.space["axes"] as { name?: string }[]) : [];
  return [String(sweep.space["method"] ?? ""), axes.map((axis) => axis.name ?? "").join(" × ")].filter(Boolean).join(": ");
}

function done(sweep: Sweep): number {
  const { by_status } = sweep.points;
  return (by_status.Succeeded ?? 0) + (by_status.Failed ?? 0) + (by_status.Cancelled ?? 0);
}

export function show(view: View): void {
  new Listing<Sweep>(view, {
    title: "Sweeps",
    kind: "sweep",
    path: "/sweeps",
    both: false,
    open: (sweep) => view.go("sweep", { id: sweep.id }),
    columns: [
      { name: "state", title: "Status", cell: (sweep) => html`<span class="status ${sweep.status}" title=${sweep.reason ?? ""}>${sweep.status}</span>` },
      { name: "id", title: "Sweep", cell: (sweep) => html`<a tabindex="-1" href=${link("sweep", { id: sweep.id })}>${sweep.id}</a>` },
      { name: "params", title: "Space", cell: (sweep) => html`<span title=${space(sweep)}>${space(sweep)}</span>` },
      { name: "bar-cell", title: "Progress", cell: progress },
      { name: "points number", title: "Points", cell: (sweep) => `${count(done(sweep))} / ${count(sweep.points.total)}` },
      { name: "age number", title: "Age", cell: (sweep) => html`<time datetime=${sweep.created_at} title=${moment(sweep.created_at)}>${ago(sweep.created_at, Date.now())}</time>` },
    ],
  });
}
