/** Boxes in a picture: drawn, moved and resized within it. Left, top, right, bottom in its pixels, as the studio takes them. */

export type Box = readonly [left: number, top: number, right: number, bottom: number];

export interface Size {
  width: number;
  height: number;
}

/** The side or the corner by which a box is pulled. */
export type Handle = "n" | "ne" | "e" | "se" | "s" | "sw" | "w" | "nw";

export const HANDLES: readonly Handle[] = ["n", "ne", "e", "se", "s", "sw", "w", "nw"];

export const SMALLEST = 16;

export function widthOf(box: Box): number {
  return box[2] - box[0];
}

export function heightOf(box: Box): number {
  return box[3] - box[1];
}

/** The whole picture. */
export function whole({ width, height }: Size): Box {
  return [0, 0, width, height];
}

/** Between two points, within the picture. */
export function drawn(from: readonly [number, number], to: readonly [number, number], size: Size): Box {
  const [left, right] = [Math.min(from[0], to[0]), Math.max(from[0], to[0])];
  const [top, bottom] = [Math.min(from[1], to[1]), Math.max(from[1], to[1])];
  return rounded([clamp(left, 0, size.width), clamp(top, 0, size.height), clamp(right, 0, size.width), clamp(bottom, 0, size.height)]);
}

/** Elsewhere, as large as before. */
export function moved(box: Box, dx: number, dy: number, size: Size): Box {
  const left = clamp(box[0] + dx, 0, size.width - widthOf(box));
  const top = clamp(box[1] + dy, 0, size.height - heightOf(box));
  return rounded([left, top, left + widthOf(box), top + heightOf(box)]);
}

/** Pulled by a handle; with a `ratio` (width by height) it keeps that, and the opposite side or corner stays where it is. */
export function pulled(box: Box, handle: Handle, dx: number, dy: number, size: Size, ratio?: number): Box {
  const left = handle.includes("w") ? clamp(box[0] + dx, 0, box[2] - SMALLEST) : box[0];
  const right = handle.includes("e") ? clamp(box[2] + dx, box[0] + SMALLEST, size.width) : box[2];
  const top = handle.includes("n") ? clamp(box[1] + dy, 0, box[3] - SMALLEST) : box[1];
  const bottom = handle.includes("s") ? clamp(box[3] + dy, box[1] + SMALLEST, size.height) : box[3];
  if (ratio === undefined) return rounded([left, top, right, bottom]);
  const wanted = handle === "n" || handle === "s" ? (bottom - top) * ratio : right - left;
  return grown(box, handle, wanted, ratio, size);
}

/** The largest box of a ratio about the middle of another one, no larger than it. */
export function withRatio(box: Box, ratio: number): Box {
  const width = Math.min(widthOf(box), heightOf(box) * ratio);
  const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
  return rounded([x - width / 2, y - width / ratio / 2, x + width / 2, y + width / ratio / 2]);
}

/** A box of this width and ratio, or as large as the picture allows, held at what is opposite of the handle. */
function grown(box: Box, handle: Handle, wanted: number, ratio: number, size: Size): Box {
  const across = handle.includes("w") ? box[2] : handle.includes("e") ? size.width - box[0] : 2 * nearest(box[0], box[2], size.width);
  const down = handle.includes("n") ? box[3] : handle.includes("s") ? size.height - box[1] : 2 * nearest(box[1], box[3], size.height);
  const width = Math.max(Math.min(wanted, across, down * ratio), SMALLEST * Math.max(1, ratio));
  const height = width / ratio;
  const left = handle.includes("w") ? box[2] - width : handle.includes("e") ? box[0] : (box[0] + box[2] - width) / 2;
  const top = handle.includes("n") ? box[3] - height : handle.includes("s") ? box[1] : (box[1] + box[3] - height) / 2;
  return rounded([left, top, left + width, top + height]);
}

/** From the middle between two places to the nearer end of a length. */
function nearest(one: number, other: number, length: number): number {
  return Math.min((one + other) / 2, length - (one + other) / 2);
}

function rounded(box: Box): Box {
  return box.map(Math.round) as unknown as Box;
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
