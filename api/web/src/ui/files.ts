// The files of a run: a list, a preview, downloads.

import { html, render, type TemplateResult } from "lit-html";
import { artifactPath, jobPath } from "../core/api.ts";
import { bytes } from "../core/format.ts";
import { ProblemError, isAbort, sentenceOf } from "../core/problem.ts";
import type { View } from "../page.ts";
import { save } from "./download.ts";
import { previewOf } from "./preview.ts";

interface File {
  path: string;
  bytes: number;
  sha256?: string;
  media_type: string;
}

interface FileList {
  files: File[];
  skipped: { path: string; why: string }[];
  partial: boolean;
  bundle: { bytes: number };
}

const SHOWN = 500;

export class Files {
  private readonly root: HTMLElement;
  private readonly view: View;
  private readonly id: string;
  private list: FileList | undefined;
  private why = "";
  private opened = "";
  private preview: TemplateResult | string = "";
  private release: () => void = () => {};
  /** Ends what is read for the file that was chosen before. */
  private reading = new AbortController();

  constructor(root: HTMLElement, view: View, id: string) {
    this.root = root;
    this.view = view;
    this.id = id;
    this.opened = view.query.get("file") ?? "";
    view.signal.addEventListener("abort", () => this.release());
    this.draw();
  }

  /** Whether there is a list, and nothing has gone wrong since. */
  get isRead(): boolean {
    return this.list !== undefined && !this.why;
  }

  /** Read the list: there is one once the run has left something. */
  async load(): Promise<void> {
    try {
      this.list = await this.view.api.get<FileList>(jobPath(this.id, "artifacts"), {}, this.view.signal);
      this.why = "";
    } catch (error) {
      if (isAbort(error)) return;
      this.why = error instanceof ProblemError && error.status === 409 ? error.detail : sentenceOf(error);
    }
    this.draw();
    const wanted = this.list?.files.find((one) => one.path === this.opened);
    if (wanted) await this.open(wanted);
  }

  private async open(file: File): Promise<void> {
    const signal = this.chosen();
    this.opened = file.path;
    this.view.setQuery({ file: file.path });
    this.preview = "Reading…";
    const drawing = new AbortController();
    this.draw();
    try {
      const shown = await previewOf(file, (headers) => this.view.api.send(artifactPath(this.id, file.path), { headers: { Accept: "*/*", ...headers }, signal }));
      if (signal.aborted) {
        shown.release();
        return;
      }
      this.release = () => {
        drawing.abort();
        shown.release();
      };
      this.preview = shown.template;
      this.draw();
      const place = this.root.querySelector<HTMLElement>(".preview");
      if (place) shown.mount?.(place, AbortSignal.any([drawing.signal, this.view.signal]));
      return;
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      this.preview = html`<p class="problem" role="alert">${sentenceOf(error)}</p>`;
    }
    this.draw();
  }

  /** Give up what belongs to the file that was chosen before; return the signal of the next one. */
  private chosen(): AbortSignal {
    this.release();
    this.release = () => {};
    this.reading.abort();
    this.reading = new AbortController();
    return AbortSignal.any([this.reading.signal, this.view.signal]);
  }

  private close(): void {
    this.chosen();
    this.opened = "";
    this.view.setQuery({ file: undefined });
    this.draw();
  }

  private async download(path: string, name: string): Promise<void> {
    try {
      await save(this.view.api.send(path, { headers: { Accept: "*/*" } }), name);
    } catch (error) {
      this.view.tell(sentenceOf(error), "error");
    }
  }

  private draw(): void {
    const { list } = this;
    render(
      html`<div class="toolbar">
          <h2>Files</h2>
          <span class="quiet">${list ? `${list.files.length} · ${bytes(list.files.reduce((sum, one) => sum + one.bytes, 0))}` : ""}</span>
          <span class="grow"></span>
          ${list ? html`<button class="small" @click=${() => void this.download(jobPath(this.id, "result"), `${this.id}.zip`)}>Download all (zip)</button>` : ""}
        </div>
        ${this.why ? html`<p class="quiet">${this.why}</p>` : ""}
        ${list?.partial ? html`<p class="hint">They were taken while the simulation still ran.</p>` : ""}
        ${list ? this.table(list) : ""}
        ${list?.skipped.map((one) => html`<p class="hint">Left out: <code>${one.path}</code>, ${one.why}</p>`)}
        ${this.opened && list
          ? html`<section class="preview" aria-label="Preview of ${this.opened}">
              <div class="toolbar"><h3 class="mono">${this.opened}</h3><span class="grow"></span><button class="small" @click=${() => this.close()}>Close</button></div>
              ${this.preview}
            </section>`
          : ""}`,
      this.root,
    );
  }

  private table(list: FileList): TemplateResult {
    return html`<ul class="files">
        ${list.files.slice(0, SHOWN).map(
          (file) => html`<li class=${file.path === this.opened ? "open" : ""}>
            <button class="plain name" aria-expanded=${String(file.path === this.opened)} @click=${() => void this.open(file)}>${file.path}</button>
            <span class="quiet number">${bytes(file.bytes)}</span>
            <button class="small" aria-label="Download ${file.path}" @click=${() => void this.download(artifactPath(this.id, file.path), file.path.split("/").at(-1) ?? file.path)}>Download</button>
          </li>`,
        )}
      </ul>
      ${list.files.length > SHOWN ? html`<p class="hint">The first ${SHOWN} of ${list.files.length} are shown; the zip has all.</p>` : ""}`;
  }
}
