import { type Box, heightOf, widthOf } from "./box";

/** What a picture loses to the bucket that a training crops it to. */

export type Bucket = readonly [width: number, height: number];

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
