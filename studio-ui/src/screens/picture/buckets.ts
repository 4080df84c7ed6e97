import { type Box, heightOf, widthOf } from "./box";

/** The buckets that a training begins with, as Python's `datasets.buckets` makes them, and what a picture loses to its own. */

export type Bucket = readonly [width: number, height: number];

const STEP = 64;
const STEP_OF_TOYS = 8; // of bases whose resolution is smaller than any real one's
const SMALLEST_REAL = 256;

/** All buckets of a resolution: at most its area, sides from half of it to twice of it. */
export function bucketsOf(resolution: number): Bucket[] {
  const step = resolution < SMALLEST_REAL ? STEP_OF_TOYS : STEP;
  const shortest = Math.max(Math.floor(resolution / 2 / step) * step, step);
  const longest = Math.ceil((2 * resolution) / step) * step;
  const square = Math.floor(resolution / step) * step;
  const found = new Map<string, Bucket>([[`${square}`, [square, square]]]);
  for (let width = shortest; width <= longest; width += step) {
    const height = Math.min(longest, Math.floor(resolution ** 2 / width / step) * step);
    if (height < shortest) continue;
    for (const bucket of [
      [width, height],
      [height, width],
    ] as const)
      found.set(bucket[0] === bucket[1] ? `${bucket[0]}` : bucket.join(" "), bucket);
  }
  return [...found.values()].sort((one, other) => one[0] - other[0] || one[1] - other[1]);
}

/** The bucket that a box goes to, the part of the box that is left in it, and the share that is cropped away. */
export function fitted(box: Box, buckets: readonly Bucket[]): { bucket: Bucket; inside: Box; lost: number } {
  const aspect = widthOf(box) / heightOf(box);
  const off = ([width, height]: Bucket) => Math.abs(width / height - aspect);
  const bucket = buckets.reduce((best, one) => (off(one) < off(best) ? one : best));
  const ratio = bucket[0] / bucket[1];
  const [width, height] = aspect > ratio ? [heightOf(box) * ratio, heightOf(box)] : [widthOf(box), widthOf(box) / ratio];
  const [left, top] = [(box[0] + box[2] - width) / 2, (box[1] + box[3] - height) / 2];
  return { bucket, inside: [left, top, left + width, top + height], lost: 1 - (width * height) / (widthOf(box) * heightOf(box)) };
}
