/** Pictures in rows and columns: samples by epoch and prompt, proofs by epoch and weight, grids by whatever their axes are. */

export interface Matrix {
  rows: string[];
  columns: string[];
  /** The picture's address, or null where there is none yet. */
  cells: (string | null)[][];
  /** How many rows make a block, where the rows are of several blocks: those of a grid's third axis. */
  block?: number;
}

export interface Cell {
  row: number;
  column: number;
}

/** Pictures put in their places, in the order in which rows and columns first appear. */
export function matrixOf<Picture>(
  pictures: readonly Picture[],
  place: { row: (picture: Picture) => string; column: (picture: Picture) => string; url: (picture: Picture) => string },
): Matrix {
  const rows = [...new Set(pictures.map(place.row))];
  const columns = [...new Set(pictures.map(place.column))];
  const cells: (string | null)[][] = rows.map(() => columns.map(() => null));
  for (const picture of pictures)
    (cells[rows.indexOf(place.row(picture))] as (string | null)[])[columns.indexOf(place.column(picture))] = place.url(picture);
  return { rows, columns, cells };
}

/** What a cell is called: what is said of its row and of its column, of which either may say nothing. */
export function nameOf({ row, column }: Cell, { rows, columns }: Matrix): string {
  return [rows[row], columns[column]].filter(Boolean).join(" · ");
}

/** The cell that a key leads to; the same one at the edge, and for other keys. */
export function moved({ row, column }: Cell, key: string, { rows, columns, block = 0 }: Matrix): Cell {
  const inBlock = (to: number) => (block > 0 && to >= 0 && to < rows.length ? to : row);
  const within = (value: number, count: number) => Math.max(0, Math.min(count - 1, value));
  switch (key) {
    case "ArrowLeft":
      return { row, column: within(column - 1, columns.length) };
    case "ArrowRight":
      return { row, column: within(column + 1, columns.length) };
    case "ArrowUp":
      return { row: within(row - 1, rows.length), column };
    case "ArrowDown":
      return { row: within(row + 1, rows.length), column };
    case "PageUp":
      return { row: inBlock(row - block), column };
    case "PageDown":
      return { row: inBlock(row + block), column };
    case "Home":
      return { row: 0, column };
    case "End":
      return { row: within(rows.length - 1, rows.length), column };
    default:
      return { row, column };
  }
}

/** `3,1` as a cell of the matrix; undefined where it is none. */
export function cellOf(text: string, matrix: Matrix): Cell | undefined {
  const [row, column] = text.split(",").map(Number);
  if (row === undefined || column === undefined || !Number.isInteger(row) || !Number.isInteger(column)) return undefined;
  return matrix.cells[row]?.[column] === undefined ? undefined : { row, column };
}
