// A question before something that cannot be taken back.

import { html, render, type TemplateResult } from "lit-html";

export interface Question {
  title: string;
  text: string | TemplateResult;
  /** What the button does, as a verb: `Cancel 3 jobs`. */
  action: string;
  /** Words of the other button. */
  keep?: string;
}

/** Ask; return whether the answer is yes. Escape is no. */
export function ask(question: Question): Promise<boolean> {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "question");
  render(
    html`<h2 id="question">${question.title}</h2>
      <p>${question.text}</p>
      <div class="toolbar">
        <button autofocus @click=${() => dialog.close()}>${question.keep ?? "Keep running"}</button>
        <button class="danger" @click=${() => dialog.close("yes")}>${question.action}</button>
      </div>`,
    dialog,
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
