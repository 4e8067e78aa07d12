// A preview of a NumPy array.
import { html, type TemplateResult } from "lit-html";

export function arrayPreview(content: ArrayBuffer, path: string): TemplateResult {
  return html`<p class="quiet">${path}: ${content.byteLength} bytes</p>`;
}
