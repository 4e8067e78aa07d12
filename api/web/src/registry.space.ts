// Pages of parameter spaces: one sweep, runs compared, what is submitted.

import type { PageEntry } from "./page.ts";

export const space: readonly PageEntry[] = [
  {
    name: "submit",
    keepsInput: true,
    title: "Submit",
    inNavigation: (rights) => rights.may("create", "jobs") || rights.may("create", "sweeps"),
    load: () => import("./pages/submit.ts"),
  },
  {
    name: "compare",
    title: "Compare",
    inNavigation: (rights) => rights.may("get", "jobs"),
    load: () => import("./pages/compare.ts"),
  },
  {
    name: "sweep",
    title: "Sweep",
    belongsTo: "sweeps",
    load: () => import("./pages/sweep.ts"),
  },
];
