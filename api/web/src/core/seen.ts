// Whether somebody sees the page, as the browser says (Page Visibility).

const page = (): Document | undefined => globalThis.document;

/** Call `unseen` once the page has been hidden for so long without a break; return what ends the watch. */
export function whenUnseen(milliseconds: number, unseen: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = (): void => {
    clearTimeout(timer);
    if (page()?.visibilityState === "hidden") timer = setTimeout(unseen, milliseconds);
  };
  look();
  page()?.addEventListener("visibilitychange", look);
  return () => {
    clearTimeout(timer);
    page()?.removeEventListener("visibilitychange", look);
  };
}

/** Wait until the page is seen, at most until `signal` is aborted. */
export function whenSeen(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!signal.aborted && page()?.visibilityState === "hidden") return;
      page()?.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
      resolve();
    };
    page()?.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
    look();
  });
}
