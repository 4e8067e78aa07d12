// Pages of parameter spaces: one sweep, runs compared, what is submitted.

import type { PageEntry } from "./page.ts";

export const space: readonly PageEntry[] = [];
