// What can go wrong with a request, as errors that a page can tell apart. The words are the gateway's own.

/** One mistake of a request: `location` is body, query, path, header or object. */
export interface FieldError {
  location: string;
  field: string;
  detail: string;
}

/** The gateway answered, with a problem document (RFC 9457) or something that is none. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly status: number;
  readonly detail: string;
  readonly errors: readonly FieldError[];
  /** Seconds after which the gateway says to come again. */
  readonly retryAfter: number | undefined;

  constructor(status: number, detail: string, errors: readonly FieldError[] = [], retryAfter?: number) {
    super(detail);
    this.status = status;
    this.detail = detail;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may succeed later without being changed. */
  get passes(): boolean {
    return this.status === 429 || this.status >= 500;
  }
}

/** No answer came: the gateway is away, or the way to it. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";

  constructor(cause?: unknown) {
    super("The gateway does not answer.", { cause });
  }
}

/** Return the problem that an answer tells; it reads the answer's body. */
export async function problemOf(response: Response): Promise<ProblemError> {
  const after = Number(response.headers.get("Retry-After") ?? Number.NaN);
  const retryAfter = Number.isFinite(after) ? after : undefined;
  const plain = `${response.status} ${response.statusText}`.trim();
  try {
    const document: unknown = await response.json();
    if (typeof document === "object" && document !== null && "detail" in document) {
      const { detail, errors } = document as { detail: unknown; errors?: unknown };
      return new ProblemError(response.status, String(detail), fieldErrors(errors), retryAfter);
    }
  } catch {
    // Not JSON: something between here and the gateway has answered.
  }
  return new ProblemError(response.status, plain, [], retryAfter);
}

function fieldErrors(found: unknown): FieldError[] {
  if (!Array.isArray(found)) return [];
  return found.map((one: Partial<FieldError>) => ({
    location: String(one.location ?? "body"),
    field: String(one.field ?? ""),
    detail: String(one.detail ?? ""),
  }));
}

/** Whether an error only says that the page was left. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Return the sentence to show for any error. */
export function sentenceOf(error: unknown): string {
  if (error instanceof ProblemError && error.status === 403) return `Not permitted: ${error.detail}`;
  return error instanceof Error ? error.message : String(error);
}
