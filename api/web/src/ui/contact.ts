// Whether the gateway answers: while it does not, it is asked again and again, and a bar says so.

import { html, render } from "lit-html";
import type { Api } from "../core/api.ts";
import { pauseOf } from "../core/backoff.ts";
import { BACK } from "../core/stream.ts";

export class Contact {
  /** Called when the gateway answers again. */
  onBack: () => void = () => {};
  private readonly root: HTMLElement;
  private readonly api: Api;
  private readonly live: string;
  private isAway = false;
  private failures = 0;
  private left = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(root: HTMLElement, api: Api, live: string) {
    this.root = root;
    this.api = api;
    this.live = live;
    api.onContact = (answered) => this.heard(answered);
    globalThis.addEventListener("online", () => void this.ask());
  }

  private heard(answered: boolean): void {
    if (answered && this.isAway) {
      this.isAway = false;
      this.failures = 0;
      clearInterval(this.timer);
      this.draw();
      globalThis.dispatchEvent(new Event(BACK));
      this.onBack();
    } else if (!answered && !this.isAway) {
      this.isAway = true;
      this.wait();
    }
  }

  private wait(): void {
    this.failures += 1;
    this.left = Math.ceil(pauseOf(this.failures, () => 1));
    this.draw();
    clearInterval(this.timer);
    this.timer = setInterval(() => {
      this.left -= 1;
      if (this.left > 0) this.draw();
      else void this.ask();
    }, 1000);
  }

  private async ask(): Promise<void> {
    if (!this.isAway) return;
    clearInterval(this.timer);
    this.left = 0;
    this.draw();
    const answered = await this.api.send(this.live).then(
      () => true,
      () => false,
    );
    if (!answered && this.isAway) this.wait();
  }

  private draw(): void {
    const when = this.left > 0 ? `trying again in ${this.left} s` : "trying again now";
    render(
      this.isAway
        ? html`<div class="contact">
            <span><span role="alert">The gateway does not answer</span>; ${when}. What is shown may be old.</span>
            <button class="small" @click=${() => void this.ask()}>Try now</button>
          </div>`
        : html``,
      this.root,
    );
  }
}
