// Commands as people type them, and values of parameters (pure).

import type { Scalar } from "./models.ts";
import { isWritten, Written } from "./written.ts";

/** Return the words of a command, as a shell splits them, without anything else that a shell does. Throws RangeError for a quote that is not closed. */
export function wordsOf(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i] ?? "";
    if (quote) {
      if (char === quote) quote = "";
      else if (char === "\\" && quote === '"' && /["\\]/.test(text[i + 1] ?? "")) word = (word ?? "") + text[(i += 1)];
      else word = (word ?? "") + char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= "";
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "\\" && i + 1 < text.length) word = (word ?? "") + text[(i += 1)];
    else word = (word ?? "") + char;
  }
  if (quote) throw new RangeError(`A ${quote === "'" ? "single" : "double"} quote is not closed.`);
  if (word !== undefined) words.push(word);
  return words;
}

/** Return words as one line that `wordsOf` splits into the same words. */
export function lineOf(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`)).join(" ");
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i;

/** Return what a person means by a value: a number, true or false, or a text; in quotes it is always a text. */
export function scalarOf(text: string): Scalar {
  const said = text.trim();
  if (NUMBER.test(said)) {
    const value = Number(said);
    // 1.0 stays 1.0 on its way to the simulation; it is a number to everything here.
    if (isWritten(value, said)) return new Written(said) as unknown as number;
    if (Number.isFinite(value)) return value;
  }
  if (said === "true" || said === "false") return said === "true";
  const quoted = /^"((?:[^"\\]|\\.)*)"$/s.exec(said);
  if (quoted) {
    try {
      return JSON.parse(said) as string;
    } catch {
      return said;
    }
  }
  return said;
}

/** Return a value as a person writes it, so that `scalarOf` understands the same. */
export function textOf(value: Scalar): string {
  if (typeof value !== "string") return String(value);
  return scalarOf(value) === value && !value.includes(",") ? value : JSON.stringify(value);
}

/** Return the values of a list with commas between them; a comma within quotes is none. */
export function valuesOf(text: string): Scalar[] {
  const parts = text.match(/\s*"(?:[^"\\]|\\.)*"\s*|[^,\n]+/g) ?? [];
  return parts.filter((part) => part.trim() !== "").map(scalarOf);
}
