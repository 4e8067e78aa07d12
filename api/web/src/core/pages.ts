// Rows of a long list, fetched page by page as they are looked at (no DOM). Only some pages are kept.

const PAGE = 100;
const KEPT_PAGES = 30;
/** How long a page that was refused is left alone: what is drawn looks for it again at once. */
const PAUSE_MS = 5000;
/** A request that takes so long is given up: nothing else would be asked while a dead connection is waited for. */
const PATIENCE_MS = 30_000;

export interface Fetched<T> {
  total: number;
  items: T[];
}

export type Fetch<T> = (page: number, size: number, signal: AbortSignal) => Promise<Fetched<T>>;

export class Pages<T extends { id: string }> {
  /** How many rows there are; undefined before the first answer. */
  total: number | undefined;
  private readonly pages = new Map<number, T[]>();
  private readonly asked = new Map<number, AbortController>();
  private readonly fetch: Fetch<T>;
  private readonly changed: () => void;
  private readonly failed: (error: unknown) => void;
  private stale = new Set<number>();
  private readonly refused = new Set<number>();
  private era = 0;
  /** Counts how often everything may have become different. */
  private round = 0;

  constructor(fetch: Fetch<T>, changed: () => void, failed: (error: unknown) => void) {
    this.fetch = fetch;
    this.changed = changed;
    this.failed = failed;
  }

  /** Return a row, undefined as long as it is not known. */
  row(index: number): T | undefined {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Say which rows are looked at: what is missing of them is fetched, what nobody waits for any more is given up. */
  look(first: number, last: number): void {
    const wanted = new Set<number>();
    for (let page = Math.floor(first / PAGE); page <= Math.floor(Math.max(first, last - 1) / PAGE); page += 1) wanted.add(page);
    for (const [page, asking] of this.asked) {
      if (!wanted.has(page)) {
        asking.abort();
        this.asked.delete(page);
      }
    }
    for (const page of wanted) {
      const known = this.pages.get(page);
      if (known) {
        // The one that was looked at last is dropped last.
        this.pages.delete(page);
        this.pages.set(page, known);
      }
      if ((!known || this.stale.has(page)) && !this.asked.has(page) && !this.refused.has(page)) void this.ask(page);
    }
  }

  /**
   * Everything may be different now; what is known is shown until it is known anew.
   *
   * A request on its way is let come, and the page is asked for once more after it: were it given up, changes that come faster than answers
   * would keep any from coming.
   */
  refresh(): void {
    this.round += 1;
    this.refused.clear();
    this.stale = new Set(this.pages.keys());
    if (this.total === undefined) this.stale.add(0);
  }

  /** Forget everything: another filter, another order. */
  clear(): void {
    this.era += 1;
    for (const asking of this.asked.values()) asking.abort();
    this.asked.clear();
    this.pages.clear();
    this.stale.clear();
    this.refused.clear();
    this.total = undefined;
  }

  /** Put a row in the place of the one with its id; return whether there was one. */
  replace(row: T): boolean {
    for (const rows of this.pages.values()) {
      const at = rows.findIndex((one) => one.id === row.id);
      if (at >= 0) {
        rows[at] = row;
        return true;
      }
    }
    return false;
  }

  private async ask(page: number): Promise<void> {
    const asking = new AbortController();
    const { era, round } = this;
    this.asked.set(page, asking);
    try {
      const found = await this.fetch(page + 1, PAGE, AbortSignal.any([asking.signal, AbortSignal.timeout(PATIENCE_MS)]));
      if (era !== this.era) return;
      this.total = found.total;
      this.pages.set(page, found.items);
      if (round === this.round) this.stale.delete(page);
      else this.stale.add(page);
      const oldest = this.pages.keys().next().value;
      if (this.pages.size > KEPT_PAGES && oldest !== undefined) this.pages.delete(oldest);
      if (this.asked.get(page) === asking) this.asked.delete(page);
      this.changed();
    } catch (error) {
      if (this.asked.get(page) === asking) this.asked.delete(page);
      if (asking.signal.aborted || era !== this.era) return;
      this.refused.add(page);
      setTimeout(() => { if (era === this.era && this.refused.delete(page)) this.changed(); }, PAUSE_MS);
      this.failed(error);
    }
  }
}
