// Work that is told to begin more often than it can be done: once at a time, and once more when it was told meanwhile (no DOM).

/** Return what begins `work`; while it goes on, any number of further calls make it be done once more after it. `work` throws nothing. */
export function coalesce(work: () => Promise<void>): () => void {
  let [isBusy, isDue] = [false, false];
  return () => {
    isDue = true;
    if (isBusy) return;
    isBusy = true;
    void (async () => {
      while (isDue) {
        isDue = false;
        await work();
      }
      isBusy = false;
    })();
  };
}
