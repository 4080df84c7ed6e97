import { expect, test } from "vitest";
import { type Bucket, fitted } from "./buckets";

// of lorasmith.datasets.buckets.bucket_sizes for 1024
const BUCKETS: Bucket[] = [
  [832, 1216],
  [896, 1152],
  [960, 1088],
  [1024, 1024],
  [1216, 832],
  [1664, 576],
];

test.each([
  [512, 720, [832, 1216], 0.038],
  [451, 300, [1216, 832], 0.028],
  [1400, 500, [1664, 576], 0.03],
])("%i x %i goes to %j and loses %f", (width, height, bucket, lost) => {
  const found = fitted([0, 0, width, height], BUCKETS);
  expect(found.bucket).toEqual(bucket);
  expect(found.lost).toBeCloseTo(lost, 2);
});

test("what is left is about the middle of the box", () => {
  const { inside } = fitted([100, 0, 300, 100], [[64, 64]]);
  expect(inside).toEqual([150, 0, 250, 100]);
});
