// Pages of runs: their lists, and one of them.

import type { PageEntry } from "./page.ts";

export const runs: readonly PageEntry[] = [
  {
    name: "jobs",
    title: "Jobs",
    inNavigation: (rights) => rights.may("list", "jobs") || rights.may("list", "sweeps"),
    load: () => import("./pages/jobs.ts"),
  },
  {
    name: "sweeps",
    title: "Sweeps",
    inNavigation: (rights) => rights.may("list", "sweeps"),
    load: () => import("./pages/sweeps.ts"),
  },
  {
    name: "job",
    title: "Job",
    belongsTo: "jobs",
    load: () => import("./pages/job.ts"),
  },
];
