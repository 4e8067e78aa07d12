// What the gateway answers, as far as the page uses it. Fields without a value are left out by the gateway.

export type Phase = "Pending" | "Queued" | "Running" | "Succeeded" | "Failed" | "Cancelled";
export const PHASES: readonly Phase[] = ["Pending", "Queued", "Running", "Succeeded", "Failed", "Cancelled"];
export const FINAL: ReadonlySet<string> = new Set(["Succeeded", "Failed", "Cancelled"]);

export type Scalar = number | boolean | string;

/** What somebody may do with the objects of a kind in a namespace. */
export interface KindRights {
  get: boolean;
  list: boolean;
  create: boolean;
  patch: boolean;
}

export interface NamespaceRights {
  namespace: string;
  jobs: KindRights;
  sweeps: KindRights;
}

/** `GET /me`. The first namespace is the one whose ids need none. */
export interface Me {
  name: string;
  anonymous: boolean;
  namespaces: NamespaceRights[];
}
