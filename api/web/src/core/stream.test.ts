import assert from "node:assert/strict";
import { test } from "node:test";
import type { Api } from "./api.ts";
import { ProblemError, UnreachableError } from "./problem.ts";
import { follow, whyUnheard, type Connection } from "./stream.ts";

/** A gateway with one stream, into which the test writes; each connection is noted with the place from which it goes on. */
class Gateway {
  readonly places: (string | undefined)[] = [];
  open = 0;
  contacts: boolean[] = [];
  private write: (text: string) => void = () => {};

  readonly api = {
    onContact: (answered: boolean) => this.contacts.push(answered),
    send: async (_path: string, ask: { headers: Record<string, string>; signal: AbortSignal }) => {
      this.places.push(ask.headers["Last-Event-ID"]);
      this.open += 1;
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          this.write = (text) => controller.enqueue(new TextEncoder().encode(text));
          ask.signal.addEventListener("abort", () => {
            this.open -= 1;
            controller.error(ask.signal.reason);
          });
        },
      });
      return new Response(body);
    },
  } as unknown as Api;

  tell(id: number): void {
    this.write(`event: line\nid: ${id}\ndata: line ${id}\n\n`);
  }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

test("a page that is hidden for a while gives its connection back, and goes on after the last event when it is seen", async (context) => {
  const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
  Object.assign(globalThis, { document: page });
  context.after(() => Reflect.deleteProperty(globalThis, "document"));
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const see = async (how: "visible" | "hidden"): Promise<void> => {
    page.visibilityState = how;
    page.dispatchEvent(new Event("visibilitychange"));
    await turns();
  };
  const gateway = new Gateway();
  const told: string[] = [];
  const states: Connection["state"][] = [];
  const leaving = new AbortController();
  const following = follow(gateway.api, "/x", {
    signal: leaving.signal,
    onEvents: (events) => told.push(...events.map((event) => event.data)),
    onConnection: (now) => states.push(now.state),
  });
  await turns();
  gateway.tell(1);
  // Another tab is looked at for a moment.
  await see("hidden");
  context.mock.timers.tick(10_000);
  await see("visible");
  context.mock.timers.tick(10_000);
  await turns();
  gateway.tell(2);
  await turns();
  assert.deepEqual([gateway.open, gateway.places.length], [1, 1]);
  await see("hidden");
  context.mock.timers.tick(20_000);
  await turns();
  assert.deepEqual([gateway.open, states], [0, ["open", "resting"]]);
  context.mock.timers.tick(3_600_000);
  await turns();
  assert.equal(gateway.places.length, 1);
  await see("visible");
  gateway.tell(3);
  await turns();
  assert.deepEqual([told, gateway.places], [["line 1", "line 2", "line 3"], [undefined, "2"]]);
  leaving.abort();
  await following;
  assert.deepEqual([gateway.open, gateway.contacts], [0, []]);
});

test("nothing is told once nobody wants it, also of what has arrived already", async () => {
  const gateway = new Gateway();
  const leaving = new AbortController();
  const told: string[] = [];
  const following = follow(gateway.api, "/x", {
    signal: leaving.signal,
    onEvents: (events) => {
      told.push(...events.map((event) => event.data));
      // So long that the reader lets the page have a turn, in which another choice is made.
      const end = performance.now() + 20;
      while (performance.now() < end);
      setTimeout(() => leaving.abort(), 0);
      gateway.tell(2);
    },
  });
  await turns();
  gateway.tell(1);
  await following;
  assert.deepEqual(told, ["line 1"]);
});

test("a stream that is over or refused says so, and one that is lost leaves that to who says it for the whole page", () => {
  assert.equal(whyUnheard({ state: "refused", error: new ProblemError(403, "no") }), "Changes are not shown here: Not permitted: no");
  assert.match(whyUnheard({ state: "ended" }), /ended their stream/);
  assert.equal(whyUnheard({ state: "waiting", seconds: 5, error: new ProblemError(503, "too many streams") }), "Changes are not shown at the moment: too many streams");
  const error = new UnreachableError();
  assert.deepEqual([whyUnheard({ state: "waiting", seconds: 5, error }), whyUnheard({ state: "open" }), whyUnheard({ state: "resting" })], ["", "", ""]);
});
