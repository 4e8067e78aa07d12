// Columns of a CSV file (RFC 4180) with their types (pure).

import { csvRows, isNumeric } from "./table.ts";

export interface CsvColumn {
  name: string;
  /** Numbers, NaN where a cell is empty; undefined when a cell is no number. */
  numbers: Float64Array | undefined;
  texts: string[];
}

export interface CsvTable {
  columns: CsvColumn[];
  rows: number;
  /** Whether there were more rows than are read. */
  isCut: boolean;
}

export const MOST_ROWS = 200_000;
export const MOST_COLUMNS = 500;
const NOT_A_NUMBER = new Set(["nan", "inf", "-inf", "+inf", "infinity", "-infinity"]);

/** Read a file with a head. Throws RangeError, with a sentence, for one that has no columns, or too many. */
export function parseCsv(text: string, most = MOST_ROWS): CsvTable {
  const found = csvRows(text.replace(/^\uFEFF/, ""), most + 2);
  const isCut = found.length > most + 1;
  const [head, ...body] = found.slice(0, most + 1);
  if (!head) throw new RangeError("The file has no rows.");
  if (head.length > MOST_COLUMNS) throw new RangeError(`The file has ${head.length} columns; at most ${MOST_COLUMNS} are shown.`);
  // A file without a head is one whose first row is numbers only.
  const isHeadless = head.every((cell) => isNumeric(cell));
  const rows = isHeadless ? [head, ...body] : body;
  const columns = head.map((name, column) => typed(isHeadless ? `column ${column + 1}` : name || `column ${column + 1}`, rows.map((row) => row[column] ?? "")));
  return { columns, rows: rows.length, isCut };
}

function typed(name: string, texts: string[]): CsvColumn {
  const isNumbers = texts.length > 0 && texts.every((cell) => cell.trim() === "" || isNumeric(cell) || NOT_A_NUMBER.has(cell.trim().toLowerCase()));
  const hasOne = texts.some((cell) => isNumeric(cell));
  return { name, texts, numbers: isNumbers && hasOne ? Float64Array.from(texts, (cell) => (isNumeric(cell) ? Number(cell) : Number.NaN)) : undefined };
}
