// What is to be run: one run or a space of them, with what it will take while it is being typed.

import { html, render } from "lit-html";
import { jobPath, sweepPath } from "../core/api.ts";
import { byField } from "../core/fields.ts";
import { forecastOf, type Plan } from "../core/forecast.ts";
import type { Job } from "../core/models.ts";
import { OrderError, emptyOrder, orderFrom, pointLines, requestOf, type Body, type Order } from "../core/order.ts";
import type { Point, WholeSweep } from "../core/points.ts";
import { ProblemError, isAbort, sentenceOf } from "../core/problem.ts";
import { readWritten } from "../core/written.ts";
import type { View } from "../page.ts";
import { link } from "../router.ts";
import { newKey } from "../ui/key.ts";
import { FIELD_NAMES, orderForm } from "../ui/orderform.ts";

/** Nothing typed for so long: then the gateway is asked. */
const QUIET_MS = 400;
const MOST_POINTS = 10_000;

export async function show(view: View): Promise<void> {
  const [from, sweep] = [view.query.get("from"), view.query.get("sweep")];
  if (from) {
    const job = await read<Job>(view, jobPath(from));
    new SubmitPage(view, orderFrom(job), { id: from, page: "job" });
  } else if (sweep) {
    const was = await read<WholeSweep>(view, sweepPath(sweep));
    new SubmitPage(view, await withPoints(view, was), { id: sweep, page: "sweep" });
  } else new SubmitPage(view, emptyOrder(firstNamespace(view)));
}

/** Read an answer with its numbers as they were written. */
async function read<T>(view: View, path: string, query = {}): Promise<T> {
  const answer = await view.api.send(path, { query, signal: view.signal });
  return readWritten(await answer.text()) as T;
}

function firstNamespace(view: View): string {
  return view.rights.where("create", "jobs")[0] ?? view.rights.where("create", "sweeps")[0] ?? view.rights.home;
}

/** Return the form of a sweep; points that were written out stand in its table alone. */
async function withPoints(view: View, was: WholeSweep): Promise<Order> {
  const order = orderFrom(was);
  if (order.method !== "list" || order.pointsFrom || was.points.total > MOST_POINTS) return order;
  const points = await read<Point[]>(view, sweepPath(was.id, "table"), { format: "json" });
  const own = points.map((point) => Object.fromEntries(Object.entries(point.params).filter(([name, value]) => String(was.params[name]) !== String(value))));
  return { ...order, points: pointLines(own) };
}

class SubmitPage {
  private readonly view: View;
  private order: Order;
  private readonly was: { id: string; page: string } | undefined;
  private plan: Plan | undefined;
  private problem = "";
  private errors = new Map<string, string[]>();
  private isAsking = false;
  private isSending = false;
  private touched: boolean;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asking = new AbortController();
  /** The key of a request, and the request whose it is: another request gets another key, the same one is never carried out twice. */
  private key: { word: string; text: string } | undefined;

  constructor(view: View, order: Order, was?: { id: string; page: string }) {
    this.view = view;
    this.was = was;
    const kinds = this.kinds();
    const isSweep = kinds.sweep && (order.isSweep || !kinds.job);
    const places = view.rights.where("create", isSweep ? "sweeps" : "jobs");
    this.order = { ...order, isSweep, namespace: places.includes(order.namespace) ? order.namespace : (places[0] ?? order.namespace) };
    this.touched = was !== undefined;
    view.signal.addEventListener("abort", () => {
      clearTimeout(this.timer);
      this.asking.abort();
    });
    this.draw();
    if (this.touched) void this.forecast();
  }

  private kinds(): { job: boolean; sweep: boolean } {
    return { job: this.view.rights.may("create", "jobs"), sweep: this.view.rights.may("create", "sweeps") };
  }

  private change = (change: Partial<Order>): void => {
    this.order = { ...this.order, ...change };
    this.touched = true;
    this.plan = undefined;
    this.asking.abort();
    this.isAsking = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.forecast(), QUIET_MS);
    this.draw();
  };

  /** Return the request of the form; undefined, and the mistake at its field, if it is none. */
  private body(): Body | undefined {
    try {
      return requestOf(this.order);
    } catch (error) {
      if (!(error instanceof OrderError)) throw error;
      this.fail(error);
      return undefined;
    }
  }

  private fail(error: unknown): void {
    [this.problem, this.errors] = ["", new Map()];
    if (error instanceof OrderError) {
      this.errors = new Map([[FIELD_NAMES.has(error.field.replace(/\.\d+$/, "")) ? error.field : "", [error.message]]]);
    } else if (error instanceof ProblemError && error.errors.length) {
      this.errors = byField(error.errors, (field) => this.isShown(field));
    } else this.problem = sentenceOf(error);
    this.problem ||= (this.errors.get("") ?? []).join(" ");
  }

  private isShown(field: string): boolean {
    return FIELD_NAMES.has(field.replace(/\.\d+$/, "")) && (this.order.isSweep || !field.startsWith("space"));
  }

  /** Ask what it would become. Only the last answer counts: the ones before are given up. */
  private async forecast(): Promise<void> {
    this.asking.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    const body = this.body();
    if (!body) {
      this.isAsking = false;
      this.draw();
      return;
    }
    this.isAsking = true;
    try {
      const plan = await this.view.api.post<Plan>(this.order.isSweep ? "/sweeps" : "/jobs", body, { query: { dry_run: true }, signal });
      if (signal.aborted) return;
      [this.plan, this.problem, this.errors] = [plan, "", new Map()];
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      this.fail(error);
    }
    this.isAsking = false;
    this.draw();
  }

  private submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (this.isSending) return;
    clearTimeout(this.timer);
    this.asking.abort();
    [this.isAsking, this.touched] = [false, true];
    const body = this.body();
    if (body) await this.send(body);
    this.draw();
    if (this.errors.size || this.problem) this.view.root.querySelector<HTMLElement>('[aria-invalid="true"], .problem')?.focus();
  };

  private async send(body: Body): Promise<void> {
    const text = JSON.stringify(body);
    if (this.key?.text !== text) this.key = { word: newKey(), text };
    this.isSending = true;
    this.draw();
    try {
      const made = await this.view.api.post<{ jobs: string[]; sweep: string | null }>(this.order.isSweep ? "/sweeps" : "/jobs", body, { headers: { "Idempotency-Key": this.key.word }, signal: this.view.signal });
      const [id] = made.jobs;
      this.view.tell(`${made.sweep ?? id ?? "It"} was submitted.`);
      if (made.sweep) this.view.go("sweep", { id: made.sweep });
      else if (id) this.view.go("job", { id });
    } catch (error) {
      if (!isAbort(error)) this.fail(error);
    }
    this.isSending = false;
  }

  private draw(): void {
    if (this.view.signal.aborted) return;
    const kinds = this.kinds();
    const { order } = this;
    if (!kinds.job && !kinds.sweep) {
      render(html`<h1>Submit</h1><p class="problem">You may not create runs in any namespace that is served here.</p>`, this.view.root);
      return;
    }
    const errors = this.touched ? this.errors : new Map<string, string[]>();
    render(
      html`<form class="submit" novalidate @submit=${this.submit}>
        <header class="jobhead">
          <h1>${this.was ? `Run ${this.was.id} again` : "Submit"}</h1>
          ${this.was
            ? html`<p class="quiet">Filled in from <a href=${link(this.was.page, { id: this.was.id })}>${this.was.id}</a>.</p>`
            : ""}
        </header>
        <div class="fields">${orderForm(order, errors, this.change, { kinds, namespaces: this.view.rights.where("create", order.isSweep ? "sweeps" : "jobs") })}</div>
        <aside class="card forecast" aria-label="Forecast">
          <h2>Forecast</h2>
          <div role="status" aria-live="polite">
            ${this.plan ? html`<dl>${forecastOf(this.plan).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>` : html`<p class="quiet">${this.isAsking ? "Asking…" : this.problem || errors.size ? "None as long as something is wrong." : "What it would take is shown here while you type. Nothing is made before you submit."}</p>`}
          </div>
          ${this.problem ? html`<p class="problem" role="alert" tabindex="-1">${this.problem}</p>` : ""}
          <button class="primary" type="submit" ?disabled=${this.isSending}>${this.isSending ? "Submitting…" : order.isSweep ? "Submit the sweep" : "Submit"}</button>
        </aside>
      </form>`,
      this.view.root,
    );
  }
}
