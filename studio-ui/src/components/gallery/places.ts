/** Where tiles are: how many stand in a row, how large they are, and where a key leads. */

export const GAP = 8;
export const MARGIN = 12;
export const SMALLEST = 112;
export const LARGEST = 320;
export const USUAL = 160;

export interface Grid {
  columns: number;
  /** Width of a tile in pixels: the row is filled. */
  side: number;
}

/** Tiles of about this size in this width. */
export function gridOf(width: number, size: number): Grid {
  const inner = Math.max(width - 2 * MARGIN, 1);
  const columns = Math.max(1, Math.floor((inner + GAP) / (size + GAP)));
  return { columns, side: Math.floor((inner - (columns - 1) * GAP) / columns) };
}

/** The size after turning the wheel by one notch; `towards` is positive for larger. */
export function resized(size: number, towards: number): number {
  return Math.round(Math.min(LARGEST, Math.max(SMALLEST, size * (towards > 0 ? 1.12 : 1 / 1.12))));
}

/** Where a key leads from a place, among so many tiles; undefined for keys that lead nowhere. -1 is no place yet. */
export function led(key: string, from: number, count: number, columns: number, rowsInView: number): number | undefined {
  const steps: Record<string, number> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -columns * rowsInView,
    PageDown: columns * rowsInView,
    Home: -count,
    End: count,
  };
  const step = steps[key];
  if (step === undefined || count === 0) return undefined;
  if (from < 0) return key === "End" ? count - 1 : 0;
  const to = from + step;
  if ((key === "ArrowUp" && to < 0) || (key === "ArrowDown" && Math.floor(from / columns) === Math.floor((count - 1) / columns)))
    return from;
  return Math.min(count - 1, Math.max(0, to));
}
