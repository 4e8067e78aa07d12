// Follows a stream of events for as long as somebody wants it: it goes on after the last event when the connection is lost.

import type { Api, Query } from "./api.ts";
import { pauseOf } from "./backoff.ts";
import { ProblemError, UnreachableError, isAbort, sentenceOf } from "./problem.ts";
import { whenSeen, whenUnseen } from "./seen.ts";
import { EventParser, type StreamEvent } from "./sse.ts";

/** How the stream is; `waiting` says in how many seconds it is tried again, `resting` that nobody sees the page. */
export type Connection =
  | { state: "open" }
  | { state: "waiting"; seconds: number; error: Error }
  | { state: "resting" }
  | { state: "ended" }
  | { state: "refused"; error: ProblemError };

export interface Following {
  /** Called with all events of one piece that arrived; many at once when many were sent. */
  onEvents: (events: StreamEvent[]) => void;
  onConnection?: (connection: Connection) => void;
  /** Names of events after which nothing more comes; `end` if not given. */
  last?: readonly string[];
  query?: Query;
  lastEventId?: string;
  signal: AbortSignal;
}

/** Nothing for so long, not even a comment, is a connection that is dead without having said so. */
const SILENCE_MS = 60_000;
/**
 * A page that is hidden for so long gives its connection back: of HTTP/1.1 a browser has six to a host, for all tabs together, and who has
 * opened more pages could not load another.
 */
const HIDDEN_MS = 15_000;
/** After so long of reading in a row the page gets a turn. */
const BREATH_MS = 12;

/**
 * Follow the stream of a call until it ends, is refused (4xx), or `signal` is aborted.
 *
 * Lost connections are taken up after the last event that was told, and so are those of a page that was hidden, when it is seen again. It
 * throws nothing: `onConnection` says how it stands. Nothing is told after `signal`, so what is on its way reaches no later view.
 */
export async function follow(api: Api, path: string, following: Following): Promise<void> {
  const say = (connection: Connection): void => {
    if (!following.signal.aborted) following.onConnection?.(connection);
  };
  let last = following.lastEventId ?? "";
  let failures = 0;
  while (!following.signal.aborted) {
    try {
      const over = await read(api, path, following, say, last, (id) => {
        last = id || last;
        failures = 0;
      });
      if (over === "ended") {
        say({ state: "ended" });
        return;
      }
      if (over === "unseen") {
        say({ state: "resting" });
        failures = 0;
        await whenSeen(following.signal);
        continue;
      }
      // It was cut: the gateway is being stopped, or a proxy has had enough.
      throw new UnreachableError();
    } catch (error) {
      if (following.signal.aborted) return;
      const known = error instanceof ProblemError ? error : error instanceof UnreachableError ? error : undefined;
      if (known instanceof ProblemError && !known.passes) {
        say({ state: "refused", error: known });
        return;
      }
      failures += 1;
      const seconds = pauseOf(failures, Math.random, known instanceof ProblemError ? known.retryAfter : undefined);
      say({ state: "waiting", seconds, error: known ?? new UnreachableError(error) });
      await pause(seconds, following.signal);
    }
  }
}

/** Read one connection; return why it is over: the stream has told its last event, nobody sees the page, or it was cut. */
async function read(
  api: Api, path: string, following: Following, say: (connection: Connection) => void, last: string, heard: (id: string) => void,
): Promise<"ended" | "unseen" | "cut"> {
  const connection = new AbortController();
  const leave = (): void => connection.abort();
  following.signal.addEventListener("abort", leave, { once: true });
  let silence = setTimeout(leave, SILENCE_MS);
  let isUnseen = false;
  const stopWatching = whenUnseen(HIDDEN_MS, () => {
    isUnseen = true;
    leave();
  });
  try {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (last) headers["Last-Event-ID"] = last;
    const response = await api.send(path, { headers, query: following.query ?? {}, signal: connection.signal });
    if (!response.body) return "cut";
    say({ state: "open" });
    const parser = new EventParser();
    let rested = performance.now();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return "cut";
      clearTimeout(silence);
      silence = setTimeout(leave, SILENCE_MS);
      if (performance.now() - rested > BREATH_MS) {
        // What is there already would be read without the page being drawn in between.
        await new Promise((resolve) => setTimeout(resolve, 0));
        rested = performance.now();
      }
      if (following.signal.aborted) return "cut";
      const events = parser.feed(value);
      const newest = events.at(-1);
      if (!newest) continue;
      following.onEvents(events);
      heard(newest.id);
      if ((following.last ?? ["end"]).includes(newest.name)) return "ended";
    }
  } catch (error) {
    if (error instanceof ProblemError || error instanceof UnreachableError) throw error;
    if (isUnseen) return "unseen";
    if (isAbort(error) && following.signal.aborted) throw error;
    api.onContact(false);
    throw new UnreachableError(error);
  } finally {
    clearTimeout(silence);
    stopWatching();
    following.signal.removeEventListener("abort", leave);
    connection.abort();
  }
}

/** Return the sentence that says why what is shown does not change as it happens, empty when it does. That nobody answers is said above the page. */
export function whyUnheard(now: Connection): string {
  if (now.state === "refused") return `Changes are not shown here: ${sentenceOf(now.error)}`;
  if (now.state === "ended") return "Changes are not shown here any more: the gateway has ended their stream, as you may not list anything here now. Load the page again to try once more.";
  return now.state === "waiting" && now.error instanceof ProblemError ? `Changes are not shown at the moment: ${now.error.detail}` : "";
}

/** Told to the window when the gateway answers again: nobody needs to wait any longer. */
export const BACK = "simops:back";

/** Wait, at most until `signal` is aborted, the gateway answers again, or the browser says that it is online again. */
export function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      for (const name of ["online", BACK]) globalThis.removeEventListener?.(name, done);
      resolve();
    };
    const timer = setTimeout(done, seconds * 1000);
    signal.addEventListener("abort", done, { once: true });
    for (const name of ["online", BACK]) globalThis.addEventListener?.(name, done, { once: true });
    if (signal.aborted) done();
  });
}
