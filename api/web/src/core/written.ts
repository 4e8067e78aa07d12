// Numbers as they were written: 1 and 1.0 are two values of a parameter, and JavaScript has one number for both (pure).

type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;
const parse = JSON.parse as (text: string, reviver: Reviver) => unknown;
const raw = (JSON as unknown as { rawJSON?: (text: string) => unknown }).rawJSON;

/** A whole number that was written as a fraction. It is sent as it was written where the browser can do that. */
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
  return typeof value === "number" && Number.isInteger(value) && /[.eE]/.test(text);
}

/** Read JSON; whole numbers with a point or an exponent stay as they were written, where the browser tells how that was. */
export function readWritten(text: string): unknown {
  return parse(text, (_, value, context) => (isWritten(value, context?.source ?? "") ? new Written(context?.source ?? "") : value));
}
