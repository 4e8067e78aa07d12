// What a page is, and what it is given.

import type { Api } from "./core/api.ts";
import type { Rights } from "./core/rights.ts";

/** What a page is given while it is shown. */
export interface View {
  /** Where it shows itself: `render(html`…`, view.root)`. The shell empties it before and after. */
  root: HTMLElement;
  api: Api;
  rights: Rights;
  /** The query of the address. What somebody filters, sorts or selects belongs there. */
  query: URLSearchParams;
  /** Aborted when the page is left: give it to every request, stream and listener. */
  signal: AbortSignal;
  /** Go to a page: `go("job", { id })`. */
  go: (page: string, query?: LinkQuery) => void;
  /** Change the query of the address without leaving the page and without another entry in the history. Values of `undefined` or "" go away. */
  setQuery: (change: LinkQuery) => void;
  /** Say something for a few seconds, for example that a run was cancelled. Errors stay until they are closed. */
  tell: (text: string, kind?: "done" | "error") => void;
  /** Say what the page is about, in the tab's title. */
  title: (text: string) => void;
}

export type LinkQuery = Readonly<Record<string, string | number | undefined | readonly string[]>>;

/** A page of its own: `show` is called once, each time that somebody comes to it. */
export interface PageModule {
  show: (view: View) => void | Promise<void>;
}

/** A page as the shell knows it before it is loaded. */
export interface PageEntry {
  /** Its name in the address: /ui/<name>. */
  name: string;
  title: string;
  /** Whether it stands in the navigation, and for whom. */
  inNavigation?: (rights: Rights) => boolean;
  /** Which entry of the navigation is lit while this page is shown, if not its own. */
  belongsTo?: string;
  /** Whether somebody may have typed there what would be lost with the page: it stays while a token is asked for. */
  keepsInput?: boolean;
  load: () => Promise<PageModule>;
}
