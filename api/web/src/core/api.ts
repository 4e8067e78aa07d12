// The one way to the gateway: its public REST API, with the token of who has signed in.

import { ProblemError, UnreachableError, isAbort, problemOf } from "./problem.ts";
import { readShown } from "./written.ts";

export type QueryValue = string | number | boolean | undefined | null | readonly (string | number)[];
export type Query = Readonly<Record<string, QueryValue>>;

export interface Ask {
  method?: "GET" | "POST" | "DELETE";
  query?: Query;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
}

/** Return a query as it stands in an address, `?` included; what has no value is left out, a list is repeated. */
export function queryText(query: Query = {}): string {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) parts.append(name, String(one));
  }
  const text = parts.toString();
  return text ? `?${text}` : "";
}

const ELSEWHERE = "This installation hands out whole results at its store's own address. Download single files here, or all of them with `curl -L`.";

export class Api {
  /** Called when the gateway does not know the token (any more). */
  onSignedOut: () => void = () => {};
  /** Called with whether the gateway answered, after each request that was not aborted. */
  onContact: (answered: boolean) => void = () => {};
  private readonly root: string;
  private readonly token: () => string | null;

  /** Take the address of the API (`/api/v1`), and where the token is. */
  constructor(root: string, token: () => string | null) {
    this.root = root;
    this.token = token;
  }

  /** Return the address of a call. Parts of paths must be encoded (`job` below does). */
  address(path: string, query?: Query): string {
    return `${this.root}${path}${queryText(query)}`;
  }

  /**
   * Send a request; return its answer when it is a success.
   *
   * Throws ProblemError for what the gateway refuses, UnreachableError when no answer comes, AbortError of `signal`.
   */
  async send(path: string, ask: Ask = {}): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json", ...ask.headers };
    const token = this.token();
    if (token) headers["Authorization"] = `Bearer ${token}`;
    if (ask.body !== undefined) headers["Content-Type"] = "application/json";
    let response: Response;
    try {
      response = await fetch(this.address(path, ask.query), {
        method: ask.method ?? "GET",
        headers,
        body: ask.body === undefined ? null : JSON.stringify(ask.body),
        signal: ask.signal ?? null,
        credentials: "omit",
        cache: "no-store",
        redirect: "manual",
      });
    } catch (error) {
      if (isAbort(error)) throw error;
      this.onContact(false);
      throw new UnreachableError(error);
    }
    // A proxy answers these when nothing answers behind it.
    this.onContact(response.status !== 502 && response.status !== 504);
    if (response.ok) return response;
    // To the store's own address, where the page may not go: its policy knows the gateway alone.
    if (response.type === "opaqueredirect") throw new ProblemError(307, ELSEWHERE);
    const problem = await problemOf(response);
    // Of a token that is not the present one any more it says nothing about who is signed in now.
    if (problem.status === 401 && this.token() === token) this.onSignedOut();
    throw problem;
  }

  async get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
    return readShown(await (await this.send(path, { query: query ?? {}, signal })).text()) as T;
  }

  async post<T>(path: string, body: unknown, ask: Omit<Ask, "body" | "method"> = {}): Promise<T> {
    return (await this.send(path, { ...ask, method: "POST", body })).json() as Promise<T>;
  }

  async delete<T>(path: string, query?: Query): Promise<T> {
    return (await this.send(path, { method: "DELETE", query: query ?? {} })).json() as Promise<T>;
  }
}

/** Return the path of a job's call, such as `jobPath("heat", "logs", "stream")`. */
export function jobPath(id: string, ...more: string[]): string {
  return ["/jobs", id, ...more].map((part, i) => (i ? encodeURIComponent(part) : part)).join("/");
}

/** Return the path of a sweep's call. */
export function sweepPath(id: string, ...more: string[]): string {
  return ["/sweeps", id, ...more].map((part, i) => (i ? encodeURIComponent(part) : part)).join("/");
}

/** Return the path of a file of a job; its own slashes stay. */
export function artifactPath(id: string, file: string): string {
  return `${jobPath(id, "artifacts")}/${file.split("/").map(encodeURIComponent).join("/")}`;
}

export { ProblemError, UnreachableError };
