// The fields of what is ordered. Mistakes stand at their fields.

import { html, type TemplateResult } from "lit-html";
import { AXES, METHODS, SAMPLED, kindsFor, type AxisForm, type Method, type Order } from "../core/order.ts";

/** Fields at which mistakes are shown. */
export const FIELD_NAMES: ReadonlySet<string> = new Set([
  "name", "namespace", "image", "command", "args", "params", "space.axes", "space.points", "space.samples", "space.seed", "space.where", "parallelism", "points_per_pod", "retries", "retries_per_point",
  "max_failed_points", "timeout_seconds", "cpu", "memory", "resources", "metadata", "labels", "env", "network", "reuse", "batch",
]);

const NETWORKS = [["None", "None"], ["Cluster", "the cluster"], ["Internet", "the Internet"]] as const;
const PAIR_WORDS: Readonly<Record<string, readonly [string, string]>> = { params: ["Parameter", "a parameter"], metadata: ["Metadata", "metadata"], labels: ["Label", "a label"], env: ["Variable", "a variable"] };

type Errors = ReadonlyMap<string, readonly string[]>;
type Change = (change: Partial<Order>) => void;

const METHOD_NAMES: Record<Method, string> = {
  grid: "grid: every combination", zip: "zip: side by side", random: "random samples", latinHypercube: "Latin hypercube", sobol: "Sobol sequence", list: "list: the points themselves",
};
const KIND_NAMES: Record<string, string> = {
  values: "these values", linspace: "even steps", logspace: "even ratios", integers: "integers", uniform: "uniform", logUniform: "log-uniform",
};

/** Return the fields of an order. */
export function orderForm(order: Order, errors: Errors, change: Change, may: { kinds: { job: boolean; sweep: boolean }; namespaces: readonly string[] }): TemplateResult {
  const field = fieldsOf(order, errors, change);
  return html`<section class="card">
      ${may.kinds.job && may.kinds.sweep
        ? html`<fieldset class="choices inline"><legend class="hidden">What</legend>
            <label class="check"><input type="radio" name="kind" .checked=${!order.isSweep} @change=${() => change({ isSweep: false })} /> One run</label>
            <label class="check"><input type="radio" name="kind" .checked=${order.isSweep} @change=${() => change({ isSweep: true })} /> Many runs: a sweep</label></fieldset>`
        : ""}
      ${may.namespaces.length > 1
        ? html`<div class="field"><label for="f-namespace">Namespace</label><select id="f-namespace" @change=${(event: Event) => change({ namespace: (event.target as HTMLSelectElement).value })}>${may.namespaces.map((one) => html`<option value=${one} ?selected=${one === order.namespace}>${one}</option>`)}</select>${mistakes("namespace", errors)}</div>`
        : ""}
      ${field("name", "name", "Name", { hint: "Empty: a name is made for it." })}
      ${field("image", "image", "Image", { hint: "Empty: the installation's own." })}
      ${field("command", "command", "Command", { hint: "As in a shell. Empty: that of the image, or of the installation.", placeholder: "python -m simops_sim" })}
      ${field("args", "args", "Arguments")}
    </section>
    <section class="card">${pairs("params", order.isSweep ? "Parameters that all points share" : "Parameters", order.params, errors, (params) => change({ params }))}</section>
    ${order.isSweep ? spaceForm(order, errors, change, field) : ""}
    <section class="card"><h2>Resources and limits</h2>
      <div class="columns">
        ${field("timeLimit", "timeout_seconds", "Time limit in seconds", { numeric: true, hint: order.isSweep ? "of each point" : "" })}
        ${field("cpu", "cpu", "CPU limit", { placeholder: "2, 500m" })}
        ${field("memory", "memory", "Memory limit", { placeholder: "512Mi, 4Gi" })}
        ${field("gpu", "resources", "GPUs", { numeric: true })}
        ${field("retries", order.isSweep ? "retries_per_point" : "retries", order.isSweep ? "Retries of each point" : "Retries", { numeric: true, placeholder: "0" })}
        ${order.isSweep
          ? html`${field("parallelism", "parallelism", "Pods at once", { numeric: true, placeholder: "10" })}
              ${field("pointsPerPod", "points_per_pod", "Points per Pod", { hint: "a number, or auto", placeholder: "1" })}
              ${field("maxFailed", "max_failed_points", "Failed points at most", { numeric: true, hint: "then it stops" })}`
          : ""}
      </div>
    </section>
    <section class="card"><h2>Surroundings</h2>
      <div class="field"><label for="f-network">Network</label>
        <select id="f-network" aria-describedby="f-network-more" @change=${(event: Event) => change({ network: (event.target as HTMLSelectElement).value })}>${NETWORKS.map(([value, title]) => html`<option value=${value} ?selected=${value === (order.network || "None")}>${title}</option>`)}</select>
        <div id="f-network-more">${mistakes("network", errors)}<p class="hint">What the simulation may reach.</p></div></div>
      ${order.isSweep ? html`${check("batch", "The image computes many points in one process", order.batch, errors, (batch) => change({ batch }))}${check("reuse", "Take results of identical points that were run before (needs an image by its digest)", order.reuse, errors, (reuse) => change({ reuse }))}` : ""}
      ${Object.keys(order.kept).length ? html`<p class="hint">As it was, too: ${Object.entries(order.kept).map(([name, value], i) => html`${i ? ", " : ""}<code>${name}: ${typeof value === "object" ? JSON.stringify(value) : String(value)}</code>`)}</p>` : ""}
    </section>
    <section class="card">${pairs("env", "Environment variables", order.env, errors, (env) => change({ env }))}</section>
    <section class="card">${pairs("labels", "Labels", order.labels, errors, (labels) => change({ labels }))}<p class="hint">By labels lists are filtered.</p></section>
    <section class="card">${pairs("metadata", "Metadata", order.metadata, errors, (metadata) => change({ metadata }))}</section>`;
}

function check(name: string, title: string, isOn: boolean, errors: Errors, set: (isOn: boolean) => void): TemplateResult {
  return html`<label class="check"><input type="checkbox" .checked=${isOn} aria-invalid=${String(errors.has(name))} @change=${(event: Event) => set((event.target as HTMLInputElement).checked)} /> ${title}</label>${mistakes(name, errors)}`;
}

interface FieldOptions {
  hint?: string;
  placeholder?: string;
  numeric?: boolean;
}

type TextField = { [K in keyof Order]: Order[K] extends string ? K : never }[keyof Order];
type FieldOf = (key: TextField, name: string, title: string, options?: FieldOptions) => TemplateResult;

function fieldsOf(order: Order, errors: Errors, change: Change): FieldOf {
  return (key, name, title, options = {}) => {
    const id = `f-${name.replaceAll(".", "-")}`;
    return html`<div class="field">
      <label for=${id}>${title}</label>
      <input id=${id} .value=${order[key]} inputmode=${options.numeric ? "numeric" : "text"} placeholder=${options.placeholder ?? ""} autocomplete="off" autocapitalize="off" spellcheck="false"
        aria-invalid=${String(errors.has(name))} aria-describedby=${`${id}-more`} @input=${(event: Event) => change({ [key]: (event.target as HTMLInputElement).value })} />
      <div id=${`${id}-more`}>${mistakes(name, errors)}${options.hint ? html`<p class="hint">${options.hint}</p>` : ""}</div>
    </div>`;
  };
}

function mistakes(name: string, errors: Errors): TemplateResult | string {
  const found = errors.get(name);
  return found ? html`<p class="mistake">${found.join(" ")}</p>` : "";
}

type Row = { name: string; value: string };

function pairs(field: string, title: string, rows: readonly Row[], errors: Errors, change: (rows: Row[]) => void): TemplateResult {
  const set = (at: number, one: Partial<Row>): void => change(rows.map((row, i) => (i === at ? { ...row, ...one } : row)));
  const text = (at: number, key: keyof Row, label: string): TemplateResult =>
    html`<input aria-label="${label} ${at + 1}" placeholder=${label.toLowerCase().split(" ").at(-1) ?? ""} .value=${rows[at]?.[key] ?? ""} autocomplete="off" autocapitalize="off" spellcheck="false" aria-invalid=${String(errors.has(field))}
      @input=${(event: Event) => set(at, { [key]: (event.target as HTMLInputElement).value })} />`;
  const [word, one] = PAIR_WORDS[field] ?? [field, field];
  return html`<h2>${title}</h2>
    ${rows.map((_, i) => html`<div class="pair">${text(i, "name", `${word} name`)}${text(i, "value", `${word} value`)}<button type="button" class="plain small" aria-label="Remove ${word.toLowerCase()} ${i + 1}" @click=${() => change(rows.filter((_one, at) => at !== i))}>×</button></div>`)}
    ${mistakes(field, errors)}
    <button type="button" class="small" @click=${() => change([...rows, { name: "", value: "" }])}>Add ${one}</button>`;
}

function spaceForm(order: Order, errors: Errors, change: Change, field: FieldOf): TemplateResult {
  const isSampled = SAMPLED.has(order.method);
  const setMethod = (event: Event): void => {
    const method = (event.target as HTMLSelectElement).value as Method;
    const kinds = kindsFor(method);
    change({ method, axes: order.axes.map((axis) => (kinds.includes(axis.kind) ? axis : { ...axis, kind: kinds[0] ?? "values", fields: {} })) });
  };
  const setAxis = (at: number, one: Partial<AxisForm>): void => change({ axes: order.axes.map((axis, i) => (i === at ? { ...axis, ...one } : axis)) });
  return html`<section class="card"><h2>Space</h2>
    <div class="field"><label for="f-method">Points</label>
      <select id="f-method" @change=${setMethod}>${METHODS.map((one) => html`<option value=${one} ?selected=${one === order.method}>${METHOD_NAMES[one]}</option>`)}</select></div>
    ${order.method === "list"
      ? html`<div class="field"><label for="f-points">The points, one a line</label>
          <textarea id="f-points" rows="8" spellcheck="false" placeholder="diffusivity=0.01, method=ftcs" aria-invalid=${String(errors.has("space.points"))} aria-describedby="f-points-more" .value=${order.points}
            @input=${(event: Event) => change({ points: (event.target as HTMLTextAreaElement).value })}></textarea>
          <div id="f-points-more">${mistakes("space.points", errors)}<p class="hint">${order.pointsFrom ? "As long as this is empty it is the list in the store. " : ""}name=value with commas between them, an object of JSON a line, or a JSON list; at most 10,000.</p></div></div>`
      : html`${order.axes.map((axis, i) => axisForm(axis, i, order.method, errors, (one) => setAxis(i, one), () => change({ axes: order.axes.filter((_, at) => at !== i) })))}
          ${mistakes("space.axes", errors)}
          <button type="button" class="small" @click=${() => change({ axes: [...order.axes, { name: "", kind: kindsFor(order.method)[0] ?? "values", fields: {} }] })}>Add an axis</button>
          <div class="columns">
            ${isSampled ? html`${field("samples", "space.samples", "Samples", { numeric: true, hint: order.method === "sobol" ? "powers of two are spread best" : "" })}${field("seed", "space.seed", "Seed", { numeric: true, placeholder: "0" })}` : ""}
          </div>
          ${field("where", "space.where", "Only where", { placeholder: "dt / dx**2 <= 0.5", hint: "A condition that a point must meet. Empty: all." })}`}
  </section>`;
}

function axisForm(axis: AxisForm, i: number, method: Method, errors: Errors, set: (one: Partial<AxisForm>) => void, remove: () => void): TemplateResult {
  const name = `space.axes.${i}`;
  const wrong = String(errors.has(name));
  return html`<div class="axis" role="group" aria-label="Axis ${i + 1}">
      <input aria-label="Name of axis ${i + 1}" placeholder="name" .value=${axis.name} autocomplete="off" autocapitalize="off" spellcheck="false" aria-invalid=${wrong} @input=${(event: Event) => set({ name: (event.target as HTMLInputElement).value })} />
      <select aria-label="Kind of axis ${i + 1}" @change=${(event: Event) => set({ kind: (event.target as HTMLSelectElement).value, fields: {} })}>${kindsFor(method).map((kind) => html`<option value=${kind} ?selected=${kind === axis.kind}>${KIND_NAMES[kind] ?? kind}</option>`)}</select>
      <div class="axisfields">${(AXES[axis.kind] ?? []).map((one) => html`<input class=${one === "values" ? "wide" : ""} aria-label="${one} of axis ${i + 1}" placeholder=${one === "values" ? "0.01, 0.02, 0.05" : one} .value=${axis.fields[one] ?? ""} autocomplete="off" spellcheck="false" aria-invalid=${wrong}
        @input=${(event: Event) => set({ fields: { ...axis.fields, [one]: (event.target as HTMLInputElement).value } })} />`)}</div>
      <button type="button" class="plain small" aria-label="Remove axis ${i + 1}" @click=${remove}>×</button>
    </div>${mistakes(name, errors)}`;
}
