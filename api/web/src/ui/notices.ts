// What is said for a while at the lower edge: done things go by themselves, errors are closed.

import { html, render } from "lit-html";

const SHOWN_MS = 6000;
const MOST = 4;

interface Notice {
  text: string;
  kind: "done" | "error";
}

export class Notices {
  private readonly root: HTMLElement;
  private notices: Notice[] = [];

  constructor(root: HTMLElement) {
    this.root = root;
    this.draw();
  }

  tell = (text: string, kind: "done" | "error" = "done"): void => {
    const notice: Notice = { text, kind };
    this.notices = [...this.notices, notice].slice(-MOST);
    this.draw();
    if (kind === "done") setTimeout(() => this.close(notice), SHOWN_MS);
  };

  private close(notice: Notice): void {
    this.notices = this.notices.filter((one) => one !== notice);
    this.draw();
  }

  private draw(): void {
    render(
      html`<div class="notices" role="status" aria-live="polite">
        ${this.notices.map(
          (one) => html`<div class="notice ${one.kind}">
            <span>${one.text}</span>
            <button class="plain" aria-label="Close this message" @click=${() => this.close(one)}>×</button>
          </div>`,
        )}
      </div>`,
      this.root,
    );
  }
}
