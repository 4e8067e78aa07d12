// What a file looks like: pictures, tables, JSON, arrays, text. Only the beginning of a large one is read.

import { html, type TemplateResult } from "lit-html";
import { bytes } from "../core/format.ts";
import { csvRows, isNumeric } from "../core/table.ts";

export interface Previewed {
  path: string;
  bytes: number;
  media_type: string;
}

export interface Preview {
  template: TemplateResult;
  /** Gives back what the browser holds for it. */
  release: () => void;
  /** Draws into the page, once the template is there. */
  mount?: (root: HTMLElement, signal: AbortSignal) => void;
}

/** Ask for the file; with these headers for a part of it. */
export type Ask = (headers: Readonly<Record<string, string>>) => Promise<Response>;

const MOST_PICTURE = 20 << 20;
const MOST_ARRAY = 32 << 20;
const MOST_TEXT = 256 << 10;
const MOST_JSON = 1 << 20;
const MOST_ROWS = 200;
const PICTURES = /\.(png|jpe?g|gif|webp|avif)$/i;
const TEXTS = /\.(txt|log|md|ya?ml|toml|ini|py|sh|dat|out|err|xml|html?|svg|tex|c|h|f90|cfg|conf)$/i;
const nothing = (): void => {};

/** Read and show a file. Throws what the request throws. */
export async function previewOf(file: Previewed, ask: Ask): Promise<Preview> {
  if (PICTURES.test(file.path)) return picture(file, ask);
  if (/\.npy$/i.test(file.path)) return array(file, ask);
  if (/\.csv$/i.test(file.path)) return table(file, ask);
  if (/\.json$/i.test(file.path)) return json(file, ask);
  if (TEXTS.test(file.path) || file.media_type.startsWith("text/")) return text(file, ask);
  return { template: html`<p class="quiet">There is no preview of such a file.</p>`, release: nothing };
}

function tooLarge(file: Previewed, most: number): Preview {
  return { template: html`<p class="quiet">${bytes(file.bytes)} are too many for a preview (at most ${bytes(most)}).</p>`, release: nothing };
}

async function picture(file: Previewed, ask: Ask): Promise<Preview> {
  if (file.bytes > MOST_PICTURE) return tooLarge(file, MOST_PICTURE);
  const url = URL.createObjectURL(await (await ask({})).blob());
  return { template: html`<img src=${url} alt="The picture ${file.path}" />`, release: () => URL.revokeObjectURL(url) };
}

/** Return the beginning of a file as text, and whether there is more. */
async function beginning(file: Previewed, ask: Ask, most: number): Promise<[string, boolean]> {
  const isCut = file.bytes > most;
  const response = await ask(isCut ? { Range: `bytes=0-${most - 1}` } : {});
  return [(await response.text()).slice(0, most), isCut];
}

function cut(isCut: boolean, most: number): TemplateResult | string {
  return isCut ? html`<p class="hint">The first ${bytes(most)}.</p>` : "";
}

async function text(file: Previewed, ask: Ask): Promise<Preview> {
  const [said, isCut] = await beginning(file, ask, MOST_TEXT);
  return { template: html`<pre tabindex="0">${said}</pre>${cut(isCut, MOST_TEXT)}`, release: nothing };
}

async function json(file: Previewed, ask: Ask): Promise<Preview> {
  if (file.bytes > MOST_JSON) return text(file, ask);
  const said = await (await ask({})).text();
  let pretty = said;
  try {
    pretty = JSON.stringify(JSON.parse(said), null, 2);
  } catch {
    // It is shown as it is.
  }
  return { template: html`<pre tabindex="0">${pretty}</pre>`, release: nothing };
}

async function table(file: Previewed, ask: Ask): Promise<Preview> {
  const [said, isCut] = await beginning(file, ask, MOST_TEXT);
  const [head, ...rows] = csvRows(said, MOST_ROWS + 1, isCut);
  if (!head) return text(file, ask);
  const drawn = isCut ? undefined : (await import("./arrays.ts")).csvCurves(said, file.path);
  const template = html`${drawn?.template ?? ""}<div class="scroll" tabindex="0" role="region" aria-label="Table of ${file.path}">
      <table class="data">
        <thead><tr>${head.map((cell, i) => html`<th scope="col" class=${isNumeric(rows[0]?.[i] ?? "") ? "number" : ""}>${cell}</th>`)}</tr></thead>
        <tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td class=${isNumeric(cell) ? "number" : ""}>${cell}</td>`)}</tr>`)}</tbody>
      </table>
    </div>
    ${isCut || rows.length >= MOST_ROWS ? html`<p class="hint">The first ${rows.length} rows.</p>` : ""}`;
  return { template, release: nothing, ...(drawn ? { mount: drawn.mount } : {}) };
}

async function array(file: Previewed, ask: Ask): Promise<Preview> {
  if (file.bytes > MOST_ARRAY) return tooLarge(file, MOST_ARRAY);
  const content = await (await ask({})).arrayBuffer();
  const { arrayPreview } = await import("./arrays.ts");
  return { ...arrayPreview(content, file.path), release: nothing };
}
