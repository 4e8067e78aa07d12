// One sweep: how far it is, what came out of it, all its points.

import { html, render, type TemplateResult } from "lit-html";
import { sweepPath } from "../core/api.ts";
import { varied, type Axis } from "../core/axes.ts";
import { coalesce } from "../core/coalesce.ts";
import { secondsLeft, throughput, withSample, type Sample } from "../core/eta.ts";
import { between, count, duration, moment, scalar } from "../core/format.ts";
import { FINAL, PHASES, type Phase } from "../core/models.ts";
import { isWithin, type Brushes } from "../core/parallel.ts";
import { SETTLED_MS, metricsOf, type Point, type WholeSweep } from "../core/points.ts";
import { ProblemError, isAbort, sentenceOf } from "../core/problem.ts";
import { chosen } from "../core/rows.ts";
import { axisWords, spaceWords, type Space } from "../core/spacewords.ts";
import { whyUnheard } from "../core/stream.ts";
import type { View } from "../page.ts";
import { link } from "../router.ts";
import { ask } from "../ui/dialog.ts";
import { save } from "../ui/download.ts";
import { live } from "../ui/live.ts";
import { PointTable, type TableColumn } from "../ui/pointtable.ts";
import { rerunPoints } from "../ui/rerun.ts";
import { Strip } from "../ui/strip.ts";
import { SweepCharts } from "../ui/sweepcharts.ts";
import { MOST_RUNS } from "./compare.ts";

/** The table is read again after a change, at most so often, and less often the longer it takes. */
const READ_MS = 1500;
const READ_FACTOR = 8;

export async function show(view: View): Promise<void> {
  const id = view.query.get("id") ?? "";
  view.title(id);
  const sweep = await view.api.get<WholeSweep>(sweepPath(id), {}, view.signal);
  new SweepPage(view, sweep);
}

class SweepPage {
  private readonly view: View;
  private sweep: WholeSweep;
  private points: Point[] = [];
  private problem = "";
  private unheard = "";
  private taken = 0;
  private isRead = false;
  private samples: Sample[] = [];
  private readonly selected = new Set<number>();
  private brush: { axes: readonly Axis[]; brushes: Brushes } | undefined;
  private only: { text: string; indexes: ReadonlySet<number> } | undefined;
  private readonly strip: Strip;
  private readonly charts: SweepCharts;
  private readonly table: PointTable;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private settling: ReturnType<typeof setTimeout> | undefined;
  private reading = false;
  private isStale = false;
  private tookMs = 0;

  constructor(view: View, sweep: WholeSweep) {
    this.view = view;
    this.sweep = sweep;
    render(
      html`<div class="sweep">
        <header class="jobhead"></header>
        <section class="card progressbox" aria-label="Progress"><dl class="numbers"></dl><div class="strip"></div></section>
        <section class="card charts" aria-label="Charts"></section>
        <section class="card points" aria-label="Points"><div class="pointbar"></div><div class="ptable"></div></section>
        <section class="card detailbox" aria-label="Details"><h2>Details</h2><dl class="details"></dl></section>
      </div>`,
      view.root,
    );
    this.strip = new Strip(this.part(".strip"), view.signal, (bar) => this.show({ text: bar.first === bar.last ? `point ${bar.first}` : `points ${bar.first}–${bar.last}`, first: bar.first, last: bar.last }));
    this.charts = new SweepCharts(this.part(".charts"), view, {
      onOpen: (index) => this.openPoint(index),
      onBrush: (axes, brushes) => {
        this.brush = brushes.size ? { axes, brushes } : undefined;
        this.drawTable();
      },
      onCell: (indexes) => {
        this.only = { text: `${count(indexes.length)} points of a cell`, indexes: new Set(indexes) };
        this.drawTable();
        this.part(".points").scrollIntoView({ block: "start" });
      },
    });
    this.table = new PointTable(this.part(".ptable"), view.signal, {
      onSort: (sort) => {
        this.view.setQuery({ sort });
        this.drawTable();
      },
      onSelect: (index) => {
        if (!this.selected.delete(index)) this.selected.add(index);
        this.drawTable();
      },
    });
    const clock = setInterval(() => this.drawNumbers(), 1000);
    view.signal.addEventListener("abort", () => {
      clearInterval(clock);
      clearTimeout(this.timer);
      clearTimeout(this.settling);
    });
    this.take(sweep);
    this.drawTable();
    if (!sweep.archived) {
      live(view.api, {
        signal: view.signal,
        query: { namespace: sweep.namespace },
        onConnection: (now) => {
          this.unheard = whyUnheard(now);
          this.drawHead();
        },
        onChanges: (changes) => {
          if (changes === undefined) this.look();
          const own = changes?.findLast((one) => one.kind === "sweep" && one.id === this.sweep.id);
          if (own?.now) this.take(own.now as WholeSweep);
          else if (own) this.look();
        },
      });
    }
    void this.read();
  }

  private part(name: string): HTMLElement {
    return this.view.root.querySelector<HTMLElement>(name) ?? this.view.root;
  }

  /** Ask how the sweep is: something may have changed unheard. */
  private readonly look = coalesce(async () => {
    const { taken } = this;
    try {
      const found = await this.view.api.get<WholeSweep>(sweepPath(this.sweep.id), {}, this.view.signal);
      // What was told meanwhile is newer.
      if (taken === this.taken) this.take(found);
    } catch (error) {
      if (isAbort(error)) return;
      this.problem = sentenceOf(error);
      this.drawHead();
    }
  });

  private take(sweep: WholeSweep): void {
    this.sweep = sweep;
    this.taken += 1;
    this.samples = withSample(this.samples, { at: Date.now() / 1000, done: ended(sweep), round: sweep.rounds });
    this.drawHead();
    this.drawNumbers();
    this.drawDetails();
    if (this.isRead || this.reading) {
      this.readSoon();
      clearTimeout(this.settling);
      this.settling = setTimeout(() => this.readSoon(), SETTLED_MS);
    }
  }

  private readSoon(): void {
    this.isStale = true;
    if (this.timer === undefined && !this.reading) this.timer = setTimeout(() => void this.read(), Math.max(READ_MS, READ_FACTOR * this.tookMs));
  }

  private async read(): Promise<void> {
    this.timer = undefined;
    [this.reading, this.isStale] = [true, false];
    const began = performance.now();
    try {
      this.points = await this.view.api.get<Point[]>(sweepPath(this.sweep.id, "table"), { format: "json" }, this.view.signal);
      [this.isRead, this.problem] = [true, ""];
    } catch (error) {
      if (isAbort(error)) return;
      this.problem = sentenceOf(error);
      this.isStale = !(error instanceof ProblemError) || error.passes;
    }
    this.tookMs = performance.now() - began;
    this.reading = false;
    if (this.view.signal.aborted) return;
    this.drawHead();
    this.strip.set(this.points, Math.max(this.sweep.points.total, this.points.length));
    this.charts.set(this.points);
    this.drawTable();
    if (this.isStale) this.readSoon();
  }

  private openPoint(index: number): void {
    this.view.go("job", { id: this.points.find((point) => point.index === index)?.id ?? `${this.sweep.id}-${index}` });
  }

  private show(range: { text: string; first: number; last: number }): void {
    this.only = { text: range.text, indexes: new Set(this.points.filter((point) => point.index >= range.first && point.index <= range.last).map((point) => point.index)) };
    this.drawTable();
  }

  private drawHead(): void {
    const { sweep, view } = this;
    const isOver = FINAL.has(sweep.status);
    const may = !sweep.archived && view.rights.may("patch", "sweeps", sweep.namespace);
    const mayRun = view.rights.may("create", "sweeps", sweep.namespace);
    render(
      html`<div class="toolbar">
          <h1>${sweep.id}</h1>
          <span class="status ${sweep.status}" role="status">${sweep.status}</span>
          ${sweep.cancelled && !isOver ? html`<span class="quiet">told to stop</span>` : ""}
          ${sweep.suspended && !isOver ? html`<span class="quiet">suspended</span>` : ""}
          ${sweep.archived ? html`<span class="quiet">archived</span>` : ""}
          <span class="grow"></span>
          <button @click=${() => void this.download("table", "csv")}>Table (CSV)</button>
          <button @click=${() => void this.download("table", "parquet")}>Parquet</button>
          <button @click=${() => void this.download("result", "zip")}>Results (zip)</button>
          ${mayRun ? html`<a class="button" href=${link("submit", { sweep: sweep.id })}>Run again with changes…</a>` : ""}
          ${may && isOver ? html`<button @click=${() => void this.rerun()}>Run points again…</button>` : ""}
          ${may && !isOver && !sweep.cancelled ? html`<button class="danger" @click=${() => void this.cancel()}>Cancel…</button>` : ""}
        </div>
        ${sweep.message ? html`<p class=${sweep.status === "Failed" ? "problem" : "quiet"}>${sweep.reason ? html`<strong>${sweep.reason}</strong>: ` : ""}${sweep.message}</p>` : ""}
        ${[this.problem, this.unheard].filter(Boolean).map((text) => html`<p class="problem" role="alert">${text}</p>`)}`,
      this.part(".jobhead"),
    );
  }

  private drawNumbers(): void {
    const { sweep } = this;
    const { total, by_status, reused } = sweep.points;
    const done = ended(sweep);
    const isOver = FINAL.has(sweep.status);
    const now = Date.now() / 1000;
    // What an earlier round has done says nothing of how fast this one is.
    const started = sweep.started_at && sweep.rounds <= 1 ? Date.parse(sweep.started_at) / 1000 : undefined;
    const elapsed = between(sweep.started_at, sweep.completed_at ?? new Date().toISOString());
    // Between rounds may lie a pause of days: then only what the rounds took together says how fast they were.
    const ran = sweep.rounds > 1 ? sweep.running_seconds : elapsed;
    const [word, took] = sweep.rounds <= 1 ? [isOver ? "Took" : "Running for", elapsed] : isOver ? ["Took, all rounds", ran] : ["Since its start", elapsed];
    const rate = isOver ? (ran && done ? done / ran : undefined) : throughput([...this.samples, { at: now, done }], started);
    const left = isOver || !total ? undefined : secondsLeft(total, done, rate);
    const facts: [string, string | TemplateResult | undefined][] = [
      ["Points", `${count(done)} / ${count(total)}`],
      ...PHASES.filter((phase) => by_status[phase]).map((phase): [string, TemplateResult] => [phase, html`<span class="status ${phase}">${count(by_status[phase] ?? 0)}</span>`]),
      ["Reused", reused ? count(reused) : undefined],
      [word, duration(took === undefined ? undefined : Math.round(took))],
      ["Throughput", rate === undefined ? undefined : rateText(rate)],
      ["Estimated end", isOver ? undefined : left === 0 ? "about now" : left === undefined ? (sweep.estimated_completion_at ? moment(sweep.estimated_completion_at) : "not known yet") : html`<span title="by what has ended in the last minutes">${moment(new Date((now + left) * 1000).toISOString()).slice(11)} <span class="quiet">in ${duration(Math.round(left), true)}</span></span>`],
    ];
    render(facts.filter(([, value]) => value !== undefined && value !== "").map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`), this.part(".numbers"));
  }

  private drawDetails(): void {
    const { sweep } = this;
    const space = sweep.space as Space;
    const words = (values: Readonly<Record<string, unknown>> | undefined): string => Object.entries(values ?? {}).map(([name, value]) => `${name}=${typeof value === "number" ? scalar(value) : String(value)}`).join(", ");
    const rows: [string, string | undefined][] = [
      ["Namespace", sweep.namespace], ["Image", sweep.image], ["Command", [...(sweep.command ?? []), ...(sweep.args ?? [])].join(" ")], ["Shared parameters", words(sweep.params)],
      ["Space", spaceWords(space)], ...(space.axes ?? []).map((axis): [string, string] => [axis.name, axisWords(axis)]), ["At once", sweep.parallelism?.toString()], ["Points per Pod", sweep.points_per_pod?.toString()], ["Retries", sweep.retries_per_point?.toString()],
      ["Limits", words(sweep.resources?.limits)], ["Time limit", duration(sweep.timeout_seconds)], ["Labels", words(sweep.labels)], ["Metadata", words(sweep.metadata)], ["Rounds", String(sweep.rounds)],
      ["Created", moment(sweep.created_at)], ["Started", moment(sweep.started_at)], ["Ended", moment(sweep.completed_at)],
    ];
    render(rows.filter(([, value]) => value).map(([name, value]) => html`<dt>${name}</dt><dd class="mono">${value}</dd>`), this.part(".details"));
  }

  private drawTable(): void {
    const query = new URLSearchParams(location.search);
    const status = PHASES.find((one) => one === query.get("status"));
    const { brush, only } = this;
    const sort = query.get("sort") ?? "index";
    const rows = chosen(this.points, {
      status, sort, text: query.get("find") ?? "",
      also: (point) => (!only || only.indexes.has(point.index)) && (!brush || isWithin(point, brush.axes, brush.brushes)),
    });
    const columns: TableColumn[] = [
      ...varied(this.points).map((axis) => ({ key: `p:${axis.name}`, title: axis.name })),
      ...metricsOf(this.points).map((name) => ({ key: `m:${name}`, title: name })),
    ];
    if (this.points.some((point) => point.status === "Failed")) columns.push({ key: "reason", title: "Reason" });
    const none = this.points.length ? "No point is like that." : this.isRead ? "There are no points yet." : "Reading…";
    this.table.set({ rows, columns, sort, selected: this.selected, none });
    this.drawBar(rows, status, query.get("find") ?? "");
  }

  private drawBar(rows: readonly Point[], status: Phase | undefined, find: string): void {
    const ids = this.points.filter((point) => this.selected.has(point.index)).map((point) => point.id);
    const redo = (): void => this.drawTable();
    render(
      html`<div class="toolbar">
        <h2>Points</h2>
        <span class="quiet" role="status">${!this.isRead ? (this.problem ? "" : "Reading…") : rows.length === this.points.length ? count(rows.length) : `${count(rows.length)} of ${count(this.points.length)}`}</span>
        <label><span class="hidden">Status</span><select @change=${(event: Event) => {
          this.view.setQuery({ status: (event.target as HTMLSelectElement).value });
          redo();
        }}><option value="">any status</option>${PHASES.map((phase) => html`<option value=${phase} ?selected=${phase === status}>${phase}</option>`)}</select></label>
        <label><span class="hidden">Filter</span><input type="search" placeholder="name=value, a word" .value=${find} @input=${(event: Event) => {
          this.view.setQuery({ find: (event.target as HTMLInputElement).value });
          redo();
        }} /></label>
        ${this.only ? html`<button class="small chip" @click=${() => {
          this.only = undefined;
          redo();
        }}>${this.only.text} ×<span class="hidden"> show all again</span></button>` : ""}
        ${this.brush ? html`<button class="small chip" @click=${() => {
          this.brush = undefined;
          this.charts.unbrush();
          redo();
        }}>within the ranges of ${[...this.brush.brushes.keys()].join(", ")} ×<span class="hidden"> show all again</span></button>` : ""}
        <span class="grow"></span>
        ${ids.length ? html`<span class="quiet">${ids.length} selected</span>
          <button class="small" ?disabled=${ids.length < 2 || ids.length > MOST_RUNS} title="Two to ${MOST_RUNS} runs" @click=${() => this.view.go("compare", { id: ids })}>Compare</button>
          <button class="plain small" @click=${() => {
            this.selected.clear();
            redo();
          }}>Select none</button>` : ""}
      </div>`,
      this.part(".pointbar"),
    );
  }

  private async download(call: "table" | "result", format: string): Promise<void> {
    try {
      await save(this.view.api.send(sweepPath(this.sweep.id, call), { headers: { Accept: "*/*" }, query: call === "table" ? { format } : {} }), `${this.sweep.id}.${format}`);
    } catch (error) {
      this.view.tell(sentenceOf(error), "error");
    }
  }

  private async rerun(): Promise<void> {
    const now = await rerunPoints(this.view, this.sweep, this.points, [...this.selected]);
    if (!now) return;
    this.samples = [];
    this.view.tell("The points are run again.");
    this.take(now);
  }

  private async cancel(): Promise<void> {
    const { id } = this.sweep;
    if (!(await ask({ title: `Cancel ${id}?`, text: "All its points are told to stop; what they have written by then is kept. This cannot be taken back.", action: "Cancel the sweep" }))) return;
    try {
      this.take(await this.view.api.delete<WholeSweep>(sweepPath(id)));
      this.view.tell(`${id} told to stop.`);
    } catch (error) {
      this.view.tell(sentenceOf(error), "error");
      this.look();
    }
  }
}

function ended(sweep: WholeSweep): number {
  const { by_status } = sweep.points;
  return (by_status.Succeeded ?? 0) + (by_status.Failed ?? 0) + (by_status.Cancelled ?? 0);
}

/** Return points a second, a minute or an hour, whichever is easiest to read. */
function rateText(rate: number): string {
  const [per, unit] = rate >= 1 ? [rate, "s"] : rate * 60 >= 1 ? [rate * 60, "min"] : [rate * 3600, "h"];
  return `${Number(per.toPrecision(3))} / ${unit}`;
}
