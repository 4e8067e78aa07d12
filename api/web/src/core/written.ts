// Numbers as they were written: 1 and 1.0 are two values of a parameter, and JavaScript has one number for both (pure).

type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;
const parse = JSON.parse as (text: string, reviver: Reviver) => unknown;
const raw = (JSON as unknown as { rawJSON?: (text: string) => unknown }).rawJSON;

/** A number that JavaScript would write otherwise: a whole one written as a fraction, or one with more digits than it keeps. It is sent as it was written where the browser can do that. */
export class Written {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }

  toJSON(): unknown {
    return raw ? raw(this.text) : Number(this.text);
  }
}

/** Whether a number has to stay as it was written. */
export function isWritten(value: unknown, text: string): boolean {
  return typeof value === "number" && Number.isInteger(value) && (/[.eE]/.test(text) || !Number.isSafeInteger(value));
}

/** Read JSON; whole numbers with a point, an exponent or more than 2^53 stay as they were written, where the browser tells how that was. */
export function readWritten(text: string): unknown {
  return parse(text, (_, value, context) => (isWritten(value, context?.source ?? "") ? new Written(context?.source ?? "") : value));
}

const LONG = /[:[,]\s*-?\d{16,}\s*[,}\]]/;

/** Read JSON to be shown: whole numbers of more than 2^53, such as seeds, become the text of all their digits, where the browser tells it. */
export function readShown(text: string): unknown {
  if (!LONG.test(text)) return JSON.parse(text);
  return parse(text, (_, value, context) =>
    typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "") ? context?.source : value,
  );
}
