// Sign-in by a token. It is tried before it is kept. As a page of its own, or over one that somebody has typed into.

import { html, render } from "lit-html";

/** Show the form over what is there, which nobody can reach meanwhile; return what takes it away again. */
export function signInOver(submit: (token: string) => Promise<void>, why: string): () => void {
  const dialog = document.createElement("dialog");
  dialog.className = "over";
  dialog.setAttribute("aria-label", "Sign in");
  // Without a token nothing else is possible: Escape does not close it, not even the second one, which cannot be prevented.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.addEventListener("close", () => {
    if (dialog.isConnected) dialog.showModal();
  });
  document.body.append(dialog);
  dialog.showModal();
  showSignIn(dialog, submit, why);
  return () => {
    dialog.remove();
    dialog.close();
  };
}

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
      html`<div class="signin">
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
      </div>`,
      root,
    );
  }
  draw();
  root.querySelector<HTMLInputElement>("#token")?.focus();
}
