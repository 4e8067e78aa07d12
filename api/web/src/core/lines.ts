// The lines of a log, with rows for the screen: one for each line, or as many as it needs when lines are wrapped (no DOM).
//
// Only so many lines are kept. What is older goes, a share at a time, and it is known how much that was.

export const MOST_LINES = 1_000_000;
export const MOST_CHARS = 200_000_000;
const SHARE = 16;

export interface Row {
  /** The line's number in the whole log, from 0. */
  line: number;
  /** Which part of it, from 0. */
  part: number;
}

export class Lines {
  /** How many lines were dropped at the beginning. */
  dropped = 0;
  private readonly most: number;
  private readonly mostChars: number;
  private texts: string[] = [];
  private chars = 0;
  private columns = 0;
  private ends = new Float64Array(1024);
  private readonly notes = new Set<number>();

  constructor(most = MOST_LINES, mostChars = MOST_CHARS) {
    this.most = most;
    this.mostChars = mostChars;
  }

  /** How many lines there were, those that were dropped included. */
  get count(): number {
    return this.dropped + this.texts.length;
  }

  /** How many rows the lines that are kept need. */
  get rows(): number {
    return this.columns ? (this.ends[this.texts.length - 1] ?? 0) : this.texts.length;
  }

  /** Take lines; those that are `note` are no lines of the log, but say something about it. */
  append(lines: readonly string[], note = false): void {
    for (const line of lines) {
      if (note) this.notes.add(this.count);
      this.texts.push(line);
      this.chars += line.length;
    }
    if (this.columns) this.measure(this.texts.length - lines.length);
    if (this.texts.length > this.most || this.chars > this.mostChars) this.drop();
  }

  /** Break lines after so many characters; 0: not at all. */
  wrap(columns: number): void {
    if (columns === this.columns) return;
    this.columns = columns;
    if (columns) this.measure(0);
  }

  text(line: number): string {
    return this.texts[line - this.dropped] ?? "";
  }

  isNote(line: number): boolean {
    return this.notes.has(line);
  }

  /** Return what stands in a row. */
  at(row: number): Row {
    if (!this.columns) return { line: this.dropped + row, part: 0 };
    let [low, high] = [0, this.texts.length - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.ends[middle] ?? 0) > row) high = middle;
      else low = middle + 1;
    }
    return { line: this.dropped + low, part: row - (low ? (this.ends[low - 1] ?? 0) : 0) };
  }

  /** Return the first row of a line. */
  rowOf(line: number): number {
    const at = Math.max(0, line - this.dropped);
    return this.columns ? (at ? (this.ends[at - 1] ?? 0) : 0) : at;
  }

  /** Return from where to where in its line a row's part is. */
  span(row: Row): [number, number] {
    if (!this.columns) return [0, Number.POSITIVE_INFINITY];
    return [row.part * this.columns, (row.part + 1) * this.columns];
  }

  /** Return the next lines that contain a text, from a line on, among at most so many. */
  search(needle: string, from: number, among: number): { found: number[]; next: number } {
    const wanted = needle.toLowerCase();
    const found: number[] = [];
    const start = Math.max(from, this.dropped);
    const end = Math.min(this.count, start + among);
    for (let line = start; line < end; line += 1) if (this.text(line).toLowerCase().includes(wanted)) found.push(line);
    return { found, next: end };
  }

  private drop(): void {
    const few = Math.max(1, Math.floor(this.most / SHARE));
    while (this.texts.length > this.most || this.chars > this.mostChars) {
      const gone = this.texts.splice(0, Math.min(this.texts.length, few));
      if (!gone.length) break;
      this.dropped += gone.length;
      for (const line of gone) this.chars -= line.length;
    }
    for (const note of this.notes) if (note < this.dropped) this.notes.delete(note);
    if (this.columns) this.measure(0);
  }

  private measure(from: number): void {
    if (this.ends.length < this.texts.length) {
      const longer = new Float64Array(Math.max(this.texts.length, this.ends.length * 2));
      longer.set(this.ends);
      this.ends = longer;
    }
    let end = from ? (this.ends[from - 1] ?? 0) : 0;
    for (let i = from; i < this.texts.length; i += 1) {
      end += Math.max(1, Math.ceil((this.texts[i]?.length ?? 0) / this.columns));
      this.ends[i] = end;
    }
  }
}

/** Return a line as a terminal would leave it: what a carriage return has overwritten is gone, and so are colours. */
export function shownText(data: string): string {
  const last = data.includes("\n") ? (data.replace(/\n+$/, "").split("\n").at(-1) ?? "") : data;
  // eslint-disable-next-line no-control-regex
  return last.includes("\u001b") ? last.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "") : last;
}
