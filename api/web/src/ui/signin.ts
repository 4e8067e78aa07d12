// Sign-in by a token. It is tried before it is kept.

import { html, render } from "lit-html";

/** Show the form; `submit` throws an Error whose sentence is shown. */
export function showSignIn(root: HTMLElement, submit: (token: string) => Promise<void>, why = ""): void {
  let problem = why;
  let isBusy = false;

  async function send(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const field = root.querySelector<HTMLInputElement>("#token");
    isBusy = true;
    draw();
    try {
      await submit(field?.value ?? "");
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
      isBusy = false;
      draw();
      root.querySelector<HTMLInputElement>("#token")?.focus();
    }
  }

  function draw(): void {
    render(
      html`<main class="signin" id="content">
        <form class="card" @submit=${send} autocomplete="off">
          <h1>Sign in</h1>
          <label for="token">Token</label>
          <input id="token" type="password" autocomplete="off" spellcheck="false" required
            aria-describedby="token-help ${problem ? "token-problem" : ""}" aria-invalid=${problem ? "true" : "false"} />
          ${problem ? html`<p class="problem" id="token-problem" role="alert">${problem}</p>` : ""}
          <button class="primary" ?disabled=${isBusy}>${isBusy ? "Signing in…" : "Sign in"}</button>
          <p class="hint" id="token-help">
            Any token that the cluster takes, for example
            <code>kubectl create token simops-demo</code>. It is kept in this tab alone, until the tab is closed.
          </p>
        </form>
      </main>`,
      root,
    );
  }
  draw();
  root.querySelector<HTMLInputElement>("#token")?.focus();
}
