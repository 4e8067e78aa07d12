// Rows of CSV (RFC 4180), as far as they are there (pure).

/** Return rows of cells; an unfinished last row is left out when the text is only the beginning of a file. */
export function csvRows(text: string, most: number, isCut = false): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let isQuoted = false;
  const end = (): void => {
    row.push(cell);
    cell = "";
  };
  for (let i = 0; i < text.length && rows.length < most; i += 1) {
    const char = text[i];
    if (isQuoted) {
      if (char !== '"') cell += char;
      else if (text[i + 1] === '"') {
        cell += '"';
        i += 1;
      } else isQuoted = false;
    } else if (char === '"' && cell === "") isQuoted = true;
    else if (char === ",") end();
    else if (char === "\n" || char === "\r") {
      if (char === "\r" && text[i + 1] === "\n") i += 1;
      end();
      rows.push(row);
      row = [];
    } else cell += char;
  }
  if (rows.length < most && !isCut && (cell || row.length)) {
    end();
    rows.push(row);
  }
  return rows.filter((one) => one.length > 1 || one[0] !== "");
}

/** Whether a cell is a number. */
export function isNumeric(cell: string): boolean {
  return cell.trim() !== "" && Number.isFinite(Number(cell));
}
