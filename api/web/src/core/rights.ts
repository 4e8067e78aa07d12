// What is offered to whom (pure): what RBAC does not permit is not shown. The gateway refuses it all the same.

import type { KindRights, Me } from "./models.ts";

export type Verb = keyof KindRights;

export class Rights {
  readonly me: Me;

  constructor(me: Me) {
    this.me = me;
  }

  /** The namespace to begin with. */
  get home(): string {
    return this.me.namespaces[0]?.namespace ?? "default";
  }

  /** The namespaces in which something may be done. */
  where(verb: Verb, kind: "jobs" | "sweeps"): string[] {
    return this.me.namespaces.filter((one) => one[kind][verb]).map((one) => one.namespace);
  }

  /** Whether something may be done in a namespace, or in any if none is given. */
  may(verb: Verb, kind: "jobs" | "sweeps", namespace?: string): boolean {
    const found = this.where(verb, kind);
    return namespace === undefined ? found.length > 0 : found.includes(namespace);
  }
}
