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

/** `GET /me`: the namespaces in which somebody may do something. */
export interface Me {
  name: string;
  anonymous: boolean;
  namespaces: NamespaceRights[];
}

export interface Artifacts {
  bundle?: string;
  files?: number;
  bytes?: number;
  [more: string]: unknown;
}

/** What runs and sweeps have alike. */
interface Common {
  id: string;
  name: string;
  namespace: string;
  uid: string;
  status: Phase;
  reason?: string;
  message?: string;
  image: string;
  command?: string[];
  args?: string[];
  params: Record<string, Scalar>;
  env?: { name: string; value?: string }[];
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  network?: string;
  priority_class_name?: string;
  node_selector?: Record<string, string>;
  tolerations?: unknown[];
  queue_name?: string;
  pending_timeout_seconds?: number;
  timeout_seconds?: number;
  metadata?: Record<string, string>;
  labels?: Record<string, string>;
  cancelled: boolean;
  suspended: boolean;
  created_at: string;
  started_at?: string;
  completed_at?: string;
}

/** A run, or a point of a sweep. */
export interface Job extends Common {
  retries?: number;
  ttl_seconds_after_finished?: number;
  archived?: boolean;
  sweep?: string;
  index?: number;
  exit_code?: number;
  seconds?: number;
  attempts?: number;
  metrics?: Record<string, number>;
  reused?: string;
  artifacts?: Artifacts;
}

export interface PointCounts {
  total: number;
  by_status: Partial<Record<Phase, number>>;
  active?: number;
  reused?: number;
}

export interface Sweep extends Common {
  space: Record<string, unknown>;
  parallelism?: number;
  points_per_pod?: number | string;
  archived: boolean;
  points: PointCounts;
  estimated_completion_at?: string;
  rounds: number;
  running_seconds?: number;
}

export interface PageOf<T> {
  items: T[];
  page: number;
  size: number;
  total: number;
}

export interface JobStats {
  total: number;
  by_status: Record<Phase, number>;
  throughput: { finished_last_hour: number };
  duration_seconds: { p50?: number; p95?: number };
}

/** A Kubernetes Event about a run, its Job or its Pod. */
export interface Occurrence {
  type: string;
  reason?: string;
  message?: string;
  object: string;
  source?: string;
  count: number;
  first_at?: string;
  last_at?: string;
}

export interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  last_transition_at?: string;
}

export interface ArtifactFile {
  path: string;
  bytes: number;
  sha256?: string;
}

/** What `DELETE /jobs` answers. */
export interface Cancelled {
  cancelled: string[];
  already_finished: number;
  failed: { id: string; status: number; detail: string }[];
}
