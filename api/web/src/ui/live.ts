// What becomes of runs and sweeps, as the gateway tells it.

import type { Api, Query } from "../core/api.ts";
import type { Job, Sweep } from "../core/models.ts";
import { follow, type Connection } from "../core/stream.ts";
import { readShown } from "../core/written.ts";

export interface Change {
  kind: "job" | "sweep";
  id: string;
  /** As it is now; undefined: it was deleted. */
  now: Job | Sweep | undefined;
}

export interface Live {
  /** Called with what has changed; undefined: anything may have changed, read the lists. */
  onChanges: (changes: Change[] | undefined) => void;
  onConnection?: (connection: Connection) => void;
  query?: Query;
  signal: AbortSignal;
}

/** Follow the changes of everything that may be listed. */
export function live(api: Api, how: Live): void {
  void follow(api, "/events", {
    query: how.query ?? {},
    signal: how.signal,
    ...(how.onConnection ? { onConnection: how.onConnection } : {}),
    onEvents: (events) => {
      const end = events.find((event) => event.name === "end");
      if (end && (JSON.parse(end.data) as { reason?: string }).reason === "Unauthorized") {
        api.onSignedOut();
        return;
      }
      if (events.some((event) => event.name === "resync")) {
        how.onChanges(undefined);
        return;
      }
      const changes: Change[] = [];
      for (const event of events) {
        if (event.name === "gone") {
          const gone = JSON.parse(event.data) as { kind: "job" | "sweep"; id: string };
          changes.push({ ...gone, now: undefined });
        } else if (event.name === "job" || event.name === "sweep") {
          const now = readShown(event.data) as Job | Sweep;
          changes.push({ kind: event.name, id: now.id, now });
        }
      }
      if (changes.length) how.onChanges(changes);
    },
  });
}
