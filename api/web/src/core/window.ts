// Which of very many rows are shown (pure).

/** A browser gives no element more height than about this, in pixels; more rows than fit are scrolled through faster. */
export const MOST_PIXELS = 12_000_000;

/** No screen has more rows; a list that got no height of its own must not bring all of them into the page. */
const MOST_ROWS = 300;

export interface Shown {
  /** The first row that is shown, and the one after the last. */
  first: number;
  last: number;
  /** Pixels from the top of the scrolled content to the first row. */
  top: number;
  /** Height of the scrolled content. */
  height: number;
}

/** Return which rows to show, with a few more above and below. */
export function shownRows(total: number, row: number, scroll: number, view: number, more = 8): Shown {
  const whole = total * row;
  const height = Math.min(whole, MOST_PIXELS);
  const rows = Math.min(MOST_ROWS, Math.ceil(view / row));
  const from = height === whole ? scroll / row : (scroll / Math.max(1, height - view)) * Math.max(0, total - view / row);
  const at = Math.max(0, Math.min(Math.floor(from), total - 1));
  const first = Math.max(0, at - more);
  const last = Math.min(total, at + rows + 1 + more);
  // The row at the upper edge stands where it would, its neighbours around it.
  const top = height === whole ? first * row : scroll - (from - first) * row;
  return { first, last: Math.max(first, last), top: Math.max(0, Math.min(top, Math.max(0, height - (last - first) * row))), height };
}

/** Return where to scroll so that a row is seen: where it is already, if it is seen. */
export function scrollTo(row: number, total: number, size: number, scroll: number, view: number): number {
  const whole = total * size;
  const height = Math.min(whole, MOST_PIXELS);
  const factor = height === whole ? 1 : Math.max(1, height - view) / Math.max(1, whole - view);
  const [top, bottom] = [row * size * factor, ((row + 1) * size - view) * factor];
  if (scroll > top) return Math.max(0, top);
  return scroll < bottom ? bottom : scroll;
}
