import { expect, test } from "vitest";
import { GAP, gridOf, LARGEST, led, MARGIN, resized, SMALLEST } from "./places";

test("a row is filled, and no tile is smaller than asked for", () => {
  for (const width of [300, 700, 1280]) {
    const { columns, side } = gridOf(width, 160);
    expect(side).toBeGreaterThanOrEqual(160);
    expect(columns * side + (columns - 1) * GAP).toBeLessThanOrEqual(width - 2 * MARGIN);
  }
  expect(gridOf(60, 160).columns).toBe(1);
});

test.each([
  ["ArrowRight", 0, 1],
  ["ArrowLeft", 0, 0],
  ["ArrowDown", 1, 5],
  ["ArrowDown", 7, 9], // a shorter last row: to its end
  ["ArrowDown", 8, 8],
  ["ArrowUp", 2, 2],
  ["ArrowUp", 9, 5],
  ["PageDown", 0, 8],
  ["Home", 7, 0],
  ["End", 2, 9],
  ["ArrowDown", -1, 0],
  ["End", -1, 9],
  ["x", 3, undefined],
])("%s from %i leads to %s in rows of four", (key, from, to) => {
  expect(led(key, from, 10, 4, 2)).toBe(to);
});

test("the wheel changes the size within its limits", () => {
  expect(resized(160, 1)).toBeGreaterThan(160);
  expect(resized(SMALLEST, -1)).toBe(SMALLEST);
  expect(resized(LARGEST, 1)).toBe(LARGEST);
});
