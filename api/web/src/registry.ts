// All pages. To add one:
//
// 1. write `pages/<name>.ts` that exports `show(view: View)` (see page.ts): it renders into `view.root` with lit-html, asks through
//    `view.api`, and gives `view.signal` to whatever it starts;
// 2. add an entry to the list of a file like `registry.runs.ts` (jobs, sweeps as lists, one job) or `registry.space.ts` (one sweep,
//    compare, submit). `import()` makes it a file of its own that the browser loads when somebody goes there;
// 3. link to it with `link("<name>", { id })` of router.ts. The gateway serves the shell at every /ui/<name>.
//
// Styles of a page go into `css/<name>.css`, imported by `css/main.css`; colours are the variables of `css/base.css`, in dark and light.
// A style attribute in a template is refused by the Content-Security-Policy: use a class, or `.style=${…}` (a property).

import type { PageEntry } from "./page.ts";
import { runs } from "./registry.runs.ts";
import { space } from "./registry.space.ts";

export const PAGES: readonly PageEntry[] = [...runs, ...space];

/** The page of /ui itself. */
export const HOME = "jobs";

export function pageOf(name: string): PageEntry | undefined {
  return PAGES.find((page) => page.name === name);
}
