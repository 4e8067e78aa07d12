// The list of jobs.

import { html, render } from "lit-html";
import type { View } from "../page.ts";

interface Page {
  total: number;
  items: { id: string; status: string }[];
}

export async function show(view: View): Promise<void> {
  const page = await view.api.get<Page>("/jobs", { size: 50 }, view.signal);
  render(
    html`<h1>Jobs</h1>
      <ul>${page.items.map((job) => html`<li>${job.id} ${job.status}</li>`)}</ul>`,
    view.root,
  );
}
