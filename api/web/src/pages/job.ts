// One run: how it came to be what it is, what it was given, what it prints and what it left.

import { html, render, type TemplateResult } from "lit-html";
import { jobPath } from "../core/api.ts";
import { coalesce } from "../core/coalesce.ts";
import { between, duration, moment, scalar } from "../core/format.ts";
import { FINAL, type Condition, type Job, type Occurrence, type Scalar } from "../core/models.ts";
import { SETTLED_MS } from "../core/points.ts";
import { ProblemError, sentenceOf } from "../core/problem.ts";
import { follow, pause, whyUnheard, type Connection } from "../core/stream.ts";
import { timelineOf, type Step } from "../core/timeline.ts";
import { readShown } from "../core/written.ts";
import type { View } from "../page.ts";
import { pageOf } from "../registry.ts";
import { link } from "../router.ts";
import { cancelJobs } from "../ui/cancel.ts";
import { Files } from "../ui/files.ts";
import { live } from "../ui/live.ts";
import { LogView } from "../ui/logview.ts";

/** While a run waits, what Kubernetes says about that is read so often, in seconds. */
const EVENTS_SECONDS = 15;
/** A run that is over is looked at again at most so often, in seconds. */
const LOOK_SECONDS = 2;

export async function show(view: View): Promise<void> {
  const id = view.query.get("id") ?? "";
  view.title(id);
  const job = await view.api.get<Job>(jobPath(id), {}, view.signal);
  new JobPage(view, job);
}

class JobPage {
  private readonly view: View;
  private job: Job;
  private conditions: Condition[] = [];
  private occurrences: Occurrence[] = [];
  private readonly log: LogView;
  private readonly files: Files;
  /** The run that is over as it was when its files were read. */
  private left = "";
  private unheard = "";
  private problem = "";

  constructor(view: View, job: Job) {
    this.view = view;
    this.job = job;
    render(
      html`<div class="job">
        <header class="jobhead"></header>
        <div class="facts"></div>
        <div class="works"><section class="logbox card" aria-label="Log"></section><section class="filebox card" aria-label="Files"></section></div>
      </div>`,
      view.root,
    );
    this.log = new LogView(this.part(".logbox"), view.api, job.id, view.signal);
    this.files = new Files(this.part(".filebox"), view, job.id);
    const clock = setInterval(() => this.drawHead(), 1000);
    // Events are no part of the run: none of its changes tells that there is another one.
    const asking = setInterval(() => {
      if (!FINAL.has(this.job.status) && this.job.status !== "Running" && !document.hidden) this.readOccurrences();
    }, 1000 * EVENTS_SECONDS);
    view.signal.addEventListener("abort", () => {
      clearInterval(clock);
      clearInterval(asking);
    });
    this.take(job);
    if (FINAL.has(job.status)) this.watch();
    else this.follow();
  }

  /** Follow the run until it is over. */
  private follow(): void {
    void follow(this.view.api, jobPath(this.job.id, "events"), {
      signal: this.view.signal,
      onEvents: (events) => {
        const newest = events.findLast((event) => event.name === "state");
        if (newest) this.take(readShown(newest.data) as Job);
      },
      onConnection: (now) => {
        if (now.state === "ended") this.watch();
        else this.hear(now);
      },
    });
  }

  /** Hear what becomes of a run that is over: points are run again, the files of a point are told of after its end, runs are deleted. */
  private watch(): void {
    const { view, job } = this;
    if (job.archived) return;
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, view.signal]);
    let settling: ReturnType<typeof setTimeout> | undefined;
    const look = coalesce(async () => {
      try {
        const found = await view.api.get<Job>(jobPath(job.id), {}, signal);
        this.problem = "";
        const isAgain = !FINAL.has(found.status);
        if (isAgain || found.archived) over.abort();
        this.take(found);
        if (isAgain) {
          this.log.begin();
          this.follow();
        }
      } catch (error) {
        if (!(error instanceof ProblemError)) return;
        this.problem = sentenceOf(error);
        this.drawHead();
      }
      await pause(LOOK_SECONDS, signal);
    });
    const wanted = job.sweep === undefined ? { kind: "job", id: job.id } : { kind: "sweep", id: job.sweep };
    live(view.api, {
      signal,
      query: { namespace: job.namespace },
      onConnection: (now) => this.hear(now),
      onChanges: (changes) => {
        if (changes?.some((one) => one.kind === wanted.kind && one.id === wanted.id) === false) return;
        look();
        clearTimeout(settling);
        if (job.sweep !== undefined) settling = setTimeout(look, SETTLED_MS);
      },
    });
    signal.addEventListener("abort", () => clearTimeout(settling));
  }

  private hear(now: Connection): void {
    this.unheard = whyUnheard(now);
    this.drawHead();
  }

  private part(name: string): HTMLElement {
    return this.view.root.querySelector<HTMLElement>(name) ?? this.view.root;
  }

  private take(job: Job): void {
    this.job = job;
    this.log.setAttempts(job.attempts ?? 1);
    this.drawHead();
    this.drawFacts();
    this.readConditions();
    this.readOccurrences();
    if (!FINAL.has(job.status)) {
      this.left = "";
      // It goes with the first list.
      render(html`<h2>Files</h2><p class="quiet">There are files once the run has finished.</p>`, this.part(".filebox"));
      return;
    }
    // Whatever has changed of a run that is over may be what it has left.
    const left = JSON.stringify(job);
    if (left !== this.left || !(this.files.isRead || this.isReading)) this.readFiles();
    this.left = left;
  }

  private isReading = false;

  private readonly readFiles = coalesce(async () => {
    this.isReading = true;
    await this.files.load();
    this.isReading = false;
  });

  private readonly readConditions = this.beside<{ conditions: Condition[] }>("conditions", (found) => (this.conditions = found.conditions));

  private readonly readOccurrences = this.beside<{ events: Occurrence[] }>("kubernetes-events", (found) => (this.occurrences = found.events));

  /** Return what reads something that is told about the run besides. Without it what the run itself says is shown. */
  private beside<T>(call: string, take: (found: T) => void): () => void {
    return coalesce(async () => {
      if (this.job.sweep !== undefined || this.job.archived) return;
      try {
        take(await this.view.api.get<T>(jobPath(this.job.id, call), {}, this.view.signal));
        this.drawFacts();
      } catch {
        // Left as it was.
      }
    });
  }

  private drawHead(): void {
    const { job, view } = this;
    const seconds = job.seconds ?? between(job.started_at, job.completed_at ?? (job.started_at ? new Date().toISOString() : undefined));
    const kind = job.sweep === undefined ? "jobs" : "sweeps";
    const mayCancel = !FINAL.has(job.status) && !job.cancelled && view.rights.may("patch", kind, job.namespace);
    const mayRun = job.sweep === undefined && pageOf("submit") !== undefined && view.rights.may("create", "jobs", job.namespace);
    render(
      html`<div class="toolbar">
          <h1>${job.id}</h1>
          <span class="status ${job.status}" role="status">${job.status}</span>
          ${job.cancelled && !FINAL.has(job.status) ? html`<span class="quiet">told to stop</span>` : ""}
          ${job.suspended && !FINAL.has(job.status) ? html`<span class="quiet">suspended</span>` : ""}
          ${job.archived ? html`<span class="quiet">archived</span>` : ""}
          <span class="quiet">${duration(seconds)}</span>
          <span class="grow"></span>
          ${mayRun ? html`<a class="button" href=${link("submit", { from: job.id })}>Run again…</a>` : ""}
          ${mayCancel ? html`<button class="danger" @click=${() => void this.cancel()}>Cancel…</button>` : ""}
        </div>
        ${job.sweep === undefined
          ? ""
          : html`<p class="quiet">Point ${job.index} of ${pageOf("sweep") ? html`<a href=${link("sweep", { id: job.sweep })}>${job.sweep}</a>` : job.sweep}</p>`}
        ${job.message ? html`<p class=${job.status === "Failed" ? "problem" : "quiet"}>${job.reason ? html`<strong>${job.reason}</strong>: ` : ""}${job.message}</p>` : ""}
        ${[this.problem, this.unheard].filter(Boolean).map((text) => html`<p class="problem" role="alert">${text}</p>`)}`,
      this.part(".jobhead"),
    );
  }

  private async cancel(): Promise<void> {
    const { id } = this.job;
    if ((await cancelJobs(this.view, [id])).length) this.take(await this.view.api.get<Job>(jobPath(id), {}, this.view.signal));
  }

  private drawFacts(): void {
    const { job } = this;
    render(
      html`<section class="card"><h2>Timeline</h2>${timeline(timelineOf(job, this.conditions))}</section>
        ${this.occurrences.length ? html`<section class="card"><h2>Kubernetes Events</h2>${occurred(this.occurrences)}</section>` : ""}
        ${pairs("Parameters", job.params)}
        ${pairs("Metrics", job.metrics ?? {})}
        <section class="card"><h2>Details</h2>${details(job)}</section>`,
      this.part(".facts"),
    );
  }
}

function timeline(steps: Step[]): TemplateResult {
  return html`<ol class="timeline">
    ${steps.map(
      (step) => html`<li class=${step.tone}>
        <div><strong>${step.title}</strong> ${step.reason ? html`<span class="quiet">${step.reason}</span>` : ""}</div>
        ${step.text ? html`<div class="words">${step.text}</div>` : ""}
        <div class="quiet"><time datetime=${step.at ?? ""}>${moment(step.at)}</time>${step.after === undefined ? "" : ` · after ${duration(step.after)}`}</div>
      </li>`,
    )}
  </ol>`;
}

/** Events, the latest first. */
function occurred(events: readonly Occurrence[]): TemplateResult {
  return html`<div class="occurred" tabindex="0" role="region" aria-label="Kubernetes Events"><ol class="timeline">
    ${events.toReversed().map(
      (one) => html`<li class=${one.type === "Warning" ? "failed" : ""}>
        <div><strong>${one.reason ?? one.type}</strong> ${one.count > 1 ? html`<span class="quiet">${one.count} times</span>` : ""} <span class="quiet">${one.object.split("/")[0]}</span></div>
        ${one.message ? html`<div class="words">${one.message}</div>` : ""}
        <div class="quiet"><time datetime=${one.last_at ?? ""}>${moment(one.last_at)}</time>${one.source ? ` · ${one.source}` : ""}</div>
      </li>`,
    )}
  </ol></div>`;
}

function pairs(title: string, values: Readonly<Record<string, Scalar>>): TemplateResult | string {
  const entries = Object.entries(values);
  if (!entries.length) return "";
  return html`<section class="card">
    <h2>${title}</h2>
    <table class="pairs"><tbody>
      ${entries.map(([name, value]) => html`<tr><th scope="row">${name}</th><td class=${typeof value === "number" ? "number mono" : "mono"} title=${String(value)}>${scalar(value)}</td></tr>`)}
    </tbody></table>
  </section>`;
}

function details(job: Job): TemplateResult {
  const words = (values: Readonly<Record<string, string>> | undefined): string => Object.entries(values ?? {}).map(([name, value]) => `${name}=${value}`).join(", ");
  const rows: [string, string | undefined][] = [
    ["Namespace", job.namespace],
    ["Image", job.image],
    ["Command", [...(job.command ?? []), ...(job.args ?? [])].join(" ")],
    ["Limits", words(job.resources?.limits)],
    ["Requests", words(job.resources?.requests)],
    ["Time limit", duration(job.timeout_seconds)],
    ["Retries", job.retries ? String(job.retries) : undefined],
    ["Network", job.network],
    ["Environment", (job.env ?? []).map(({ name, value }) => `${name}=${value ?? ""}`).join(", ")],
    ["Queue", job.queue_name],
    ["Priority class", job.priority_class_name],
    ["Node selector", words(job.node_selector)],
    ["Attempts", job.attempts?.toString()],
    ["Exit code", job.exit_code?.toString()],
    ["Result of", job.reused],
    ["Labels", words(job.labels)],
    ["Metadata", words(job.metadata)],
    ["UID", job.uid],
  ];
  return html`<dl>${rows.filter(([, value]) => value).map(([name, value]) => html`<dt>${name}</dt><dd class="mono">${value}</dd>`)}</dl>`;
}
