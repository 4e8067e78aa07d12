// Addresses: /ui/<page>?<query>, below whatever prefix the gateway is reached at.

import { queryText } from "./core/api.ts";
import type { LinkQuery } from "./page.ts";
import { HOME } from "./registry.ts";

/** `/ui/`, with the prefix of a proxy before it: scripts are at /ui/assets/. */
export const UI = new URL("../", import.meta.url).pathname;
/** Where the API is. */
export const API = new URL("../api/v1", new URL(UI, location.origin)).pathname;

/** Return the address of a page, for `href`: `link("job", { id: "heat" })`. */
export function link(page: string, query: LinkQuery = {}): string {
  const path = page === HOME ? UI.slice(0, -1) : `${UI}${encodeURIComponent(page)}`;
  return `${path}${queryText(query)}`;
}

/** Return which page an address means. */
export function pageAt(path: string): string {
  const rest = path.startsWith(UI) ? path.slice(UI.length) : "";
  try {
    return decodeURIComponent(rest) || HOME;
  } catch {
    return rest;
  }
}

/** Let links within /ui change the page without loading it anew; everything else is the browser's. */
export function onLinks(go: (url: URL) => void): void {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const anchor = event.composedPath().find((one): one is HTMLAnchorElement => one instanceof HTMLAnchorElement);
    if (!anchor?.href || anchor.target || anchor.hasAttribute("download")) return;
    const url = new URL(anchor.href);
    const isOurs = url.pathname === UI.slice(0, -1) || url.pathname.startsWith(UI);
    if (url.origin !== location.origin || !isOurs || url.pathname.startsWith(`${UI}assets/`)) return;
    if (url.hash && url.pathname === location.pathname && url.search === location.search) return;
    event.preventDefault();
    go(url);
  });
}
