// Up to six runs side by side: what differs among them, what they measured, their curves over each other.

import { html, render, type TemplateResult } from "lit-html";
import { jobPath } from "../core/api.ts";
import { coalesce } from "../core/coalesce.ts";
import { differences, inAll, type Difference } from "../core/differ.ts";
import { between, duration, scalar } from "../core/format.ts";
import type { ArtifactFile, Job, Scalar } from "../core/models.ts";
import { SETTLED_MS } from "../core/points.ts";
import { UnreachableError, isAbort, sentenceOf } from "../core/problem.ts";
import { whyUnheard } from "../core/stream.ts";
import type { View } from "../page.ts";
import { link } from "../router.ts";
import { live, type Change } from "../ui/live.ts";
import { Overlay } from "../ui/overlay.ts";

/** So many runs stand side by side at most. */
export const MOST_RUNS = 6;
/** Changes make runs be read again at most so often. */
const READ_MS = 1500;

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
  private unheard = "";
  private isStale = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private settling: ReturnType<typeof setTimeout> | undefined;

  constructor(view: View) {
    this.view = view;
    this.ids = [...new Set(view.query.getAll("id"))].slice(0, MOST_RUNS);
    render(html`<div class="compare"><header class="head"></header><section class="card tables" aria-label="Values"></section><section class="card curvebox" aria-label="Curves"></section></div>`, view.root);
    this.overlay = new Overlay(this.part(".curvebox"), view);
    this.read();
    live(view.api, {
      signal: view.signal,
      onConnection: (now) => {
        this.unheard = whyUnheard(now);
        this.draw();
      },
      onChanges: (changes) => {
        if (changes?.some((one) => this.concerns(one)) === false) return;
        this.timer ??= setTimeout(this.readAll, changes ? READ_MS : 0);
        clearTimeout(this.settling);
        this.settling = setTimeout(this.readAll, SETTLED_MS);
      },
    });
    view.signal.addEventListener("abort", () => {
      clearTimeout(this.timer);
      clearTimeout(this.settling);
    });
  }

  private part(name: string): HTMLElement {
    return this.view.root.querySelector<HTMLElement>(name) ?? this.view.root;
  }

  /** Whether a change is one of a run that is shown; a point's is told as one of its sweep. */
  private concerns({ kind, id }: Change): boolean {
    return this.ids.some((one) => {
      const job = this.jobs.get(one);
      return kind === "job" ? one === id : typeof job === "object" && job.sweep === id;
    });
  }

  private known(): string[] {
    return this.ids.filter((id) => typeof this.jobs.get(id) === "object");
  }

  /** Read the runs that are not known, or all of them when any may have changed; draw their curves anew if one has. */
  private readonly read = coalesce(async () => {
    const [isStale, before] = [this.isStale, this.said()];
    this.isStale = false;
    this.draw();
    await this.readThese(this.ids.filter((id) => isStale || typeof this.jobs.get(id) !== "object"));
    // Files are there once a run has ended.
    if (!this.view.signal.aborted && before !== this.said()) await this.curves();
  });

  private readAll = (): void => {
    this.timer = undefined;
    this.isStale = true;
    this.read();
  };

  /** Everything that is known of the runs that are shown. */
  private said(): string {
    return JSON.stringify(this.ids.map((id) => [id, this.jobs.get(id)]));
  }

  private async readThese(ids: readonly string[]): Promise<void> {
    await Promise.all(
      ids.map(async (id) => {
        try {
          this.jobs.set(id, await this.view.api.get<Job>(jobPath(id), {}, this.view.signal));
        } catch (error) {
          // What is known of a run stays while nobody answers; that is said above the page.
          if (!isAbort(error) && !(error instanceof UnreachableError && typeof this.jobs.get(id) === "object")) this.jobs.set(id, sentenceOf(error));
        }
      }),
    );
    if (!this.view.signal.aborted) this.draw();
  }

  /** Offer the files that all of them have that have any. */
  private async curves(): Promise<void> {
    const ids = this.known();
    const found = await Promise.all(ids.map((id) => this.filesOf(id)));
    // Of an earlier choice: they are asked for again.
    if (this.view.signal.aborted || ids.join() !== this.known().join()) return;
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
    this.read();
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
      ${[this.problem, this.unheard].filter(Boolean).map((text) => html`<p class="problem" role="alert">${text}</p>`)}`,
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
