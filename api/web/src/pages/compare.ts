// Up to six runs side by side: what differs among them, what they measured, their curves over each other.

import { html, render, type TemplateResult } from "lit-html";
import { jobPath } from "../core/api.ts";
import { differences, inAll, type Difference } from "../core/differ.ts";
import { between, duration, scalar } from "../core/format.ts";
import type { ArtifactFile, Job, Scalar } from "../core/models.ts";
import { isAbort, sentenceOf } from "../core/problem.ts";
import type { View } from "../page.ts";
import { link } from "../router.ts";
import { live } from "../ui/live.ts";
import { Overlay } from "../ui/overlay.ts";

/** So many runs stand side by side at most. */
export const MOST_RUNS = 6;

export function show(view: View): void {
  new ComparePage(view);
}

class ComparePage {
  private readonly view: View;
  private ids: string[];
  private readonly jobs = new Map<string, Job | string>();
  private readonly overlay: Overlay;
  private showsSame = false;
  private problem = "";

  constructor(view: View) {
    this.view = view;
    this.ids = [...new Set(view.query.getAll("id"))].slice(0, MOST_RUNS);
    render(html`<div class="compare"><header class="head"></header><section class="card tables" aria-label="Values"></section><section class="card curvebox" aria-label="Curves"></section></div>`, view.root);
    this.overlay = new Overlay(this.part(".curvebox"), view);
    void this.read();
    live(view.api, {
      signal: view.signal,
      onChanges: (changes) => {
        for (const { kind, id, now } of changes ?? []) if (kind === "job" && now && this.ids.includes(id)) this.changed(id, now as Job);
      },
    });
  }

  private part(name: string): HTMLElement {
    return this.view.root.querySelector<HTMLElement>(name) ?? this.view.root;
  }

  private changed(id: string, job: Job): void {
    const before = this.jobs.get(id);
    this.jobs.set(id, job);
    this.draw();
    // Files are there once it has ended.
    if (typeof before === "object" && before.status !== job.status) void this.curves();
  }

  private known(): string[] {
    return this.ids.filter((id) => typeof this.jobs.get(id) === "object");
  }

  private async read(): Promise<void> {
    this.draw();
    await Promise.all(
      this.ids.filter((id) => typeof this.jobs.get(id) !== "object").map(async (id) => {
        try {
          this.jobs.set(id, await this.view.api.get<Job>(jobPath(id), {}, this.view.signal));
        } catch (error) {
          if (!isAbort(error)) this.jobs.set(id, sentenceOf(error));
        }
      }),
    );
    if (this.view.signal.aborted) return;
    this.draw();
    await this.curves();
  }

  /** Offer the files that all of them have that have any. */
  private async curves(): Promise<void> {
    const ids = this.known();
    const found = await Promise.all(ids.map((id) => this.filesOf(id)));
    if (this.view.signal.aborted) return;
    const have = ids.filter((_, i) => found[i]?.length);
    this.overlay.show(have, inAll(found.filter((files) => files.length)));
  }

  /** Return the files of a run from which curves can be drawn; none as long as it has left nothing. */
  private async filesOf(id: string): Promise<string[]> {
    try {
      const { files } = await this.view.api.get<{ files: ArtifactFile[] }>(jobPath(id, "artifacts"), {}, this.view.signal);
      return files.map((file) => file.path).filter((path) => /\.(npy|csv)$/i.test(path));
    } catch {
      return [];
    }
  }

  private setIds(ids: string[]): void {
    this.ids = ids;
    this.view.setQuery({ id: ids });
    void this.read();
  }

  private add(event: SubmitEvent): void {
    event.preventDefault();
    const field = this.view.root.querySelector<HTMLInputElement>("#add-run");
    const id = field?.value.trim() ?? "";
    this.problem = !id ? "" : this.ids.includes(id) ? `${id} is here already.` : this.ids.length >= MOST_RUNS ? `At most ${MOST_RUNS} runs stand side by side.` : "";
    if (id && !this.problem) {
      if (field) field.value = "";
      this.setIds([...this.ids, id]);
    } else this.draw();
  }

  private draw(): void {
    const jobs = this.ids.map((id) => this.jobs.get(id));
    render(
      html`<div class="toolbar">
        <h1>Compare</h1>
        <form class="toolbar" @submit=${(event: SubmitEvent) => this.add(event)}>
          <input id="add-run" aria-label="Id of a run to add" placeholder="id of a run" autocomplete="off" spellcheck="false" />
          <button class="small" ?disabled=${this.ids.length >= MOST_RUNS}>Add</button>
        </form>
        <span class="grow"></span>
        <button class="small" aria-pressed=${String(this.showsSame)} @click=${() => { this.showsSame = !this.showsSame; this.draw(); }}>Show what is the same</button>
      </div>
      ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : ""}`,
      this.part(".head"),
    );
    render(this.ids.length ? this.table(jobs) : html`<p class="empty">Add runs by their ids, or pick points in the table of a sweep.</p>`, this.part(".tables"));
  }

  private table(jobs: readonly (Job | string | undefined)[]): TemplateResult {
    const of = <T>(pick: (job: Job) => T, none: T): T[] => jobs.map((job) => (typeof job === "object" ? pick(job) : none));
    const params = differences(of((job) => job.params, {}));
    const facts = differences(of<Record<string, Scalar>>((job) => ({ image: job.image, command: [...(job.command ?? []), ...(job.args ?? [])].join(" "), ...limits(job) }), {}));
    const metrics = differences(of<Record<string, Scalar>>((job) => job.metrics ?? {}, {}));
    const took = of((job) => duration(job.seconds ?? between(job.started_at, job.completed_at)), "");
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Runs side by side"><table class="data side">
      <thead><tr><td></td>${this.ids.map((id, i) => html`<th scope="col"><i class="series-mark s${i + 1}"></i><a href=${link("job", { id })}>${id}</a>
        <button class="plain small" aria-label=${`Remove ${id}`} @click=${() => this.setIds(this.ids.filter((one) => one !== id))}>×</button></th>`)}</tr></thead>
      <tbody>
        <tr><th scope="row">Status</th>${jobs.map((job) => html`<td>${job === undefined ? "…" : typeof job === "string" ? html`<span class="problem">${job}</span>` : html`<span class="status ${job.status}">${job.status}</span>`}</td>`)}</tr>
        <tr><th scope="row">Duration</th>${took.map((text) => html`<td>${text}</td>`)}</tr>
        ${this.rows("Parameters", params)}${this.rows("Metrics", metrics, true)}${this.rows("What was run", facts)}
      </tbody></table></div>`;
  }

  private rows(title: string, found: readonly Difference[], isAll = false): TemplateResult | string {
    const shown = found.filter((row) => isAll || this.showsSame || !row.isSame || this.ids.length < 2);
    if (!found.length) return "";
    const hidden = found.length - shown.length;
    return html`<tr class="group"><th scope="rowgroup" colspan=${this.ids.length + 1}>${title}${hidden ? html` <span class="quiet">${hidden} the same</span>` : ""}</th></tr>
      ${shown.map((row) => html`<tr class=${row.isSame ? "same" : "differs"}><th scope="row">${row.name}</th>${row.values.map((value) => html`<td class="mono" title=${value === undefined ? "" : String(value)}>${value === undefined ? html`<span class="quiet">–</span>` : scalar(value)}</td>`)}</tr>`)}`;
  }
}

function limits(job: Job): Record<string, string> {
  return Object.fromEntries(Object.entries(job.resources?.limits ?? {}).map(([name, value]) => [`limit of ${name}`, value]));
}
