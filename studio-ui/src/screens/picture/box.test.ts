import { expect, test } from "vitest";
import { type Box, drawn, HANDLES, heightOf, moved, pulled, SMALLEST, widthOf, withRatio } from "./box";

const size = { width: 400, height: 300 };
const box: Box = [100, 100, 200, 150];

test("a box is drawn in any direction and ends at the picture's", () => {
  expect(drawn([50, 60], [10, 20], size)).toEqual([10, 20, 50, 60]);
  expect(drawn([390, 290], [900, 900], size)).toEqual([390, 290, 400, 300]);
});

test("a moved box stays as large as it was, and in the picture", () => {
  expect(moved(box, 1, -1, size)).toEqual([101, 99, 201, 149]);
  expect(moved(box, 9999, 9999, size)).toEqual([300, 250, 400, 300]);
  expect(moved(box, -9999, 0, size)).toEqual([0, 100, 100, 150]);
});

test("a pulled side moves alone, and not past its opposite", () => {
  expect(pulled(box, "e", 30, 99, size)).toEqual([100, 100, 230, 150]);
  expect(pulled(box, "w", 999, 0, size)).toEqual([200 - SMALLEST, 100, 200, 150]);
  expect(pulled(box, "nw", -500, -500, size)).toEqual([0, 0, 200, 150]);
});

test.each(HANDLES)("with a ratio every handle keeps it, within the picture: %s", (handle) => {
  for (const [dx, dy] of [
    [30, 30],
    [-60, -60],
    [999, 999],
    [-999, -999],
  ] as const) {
    const found = pulled(box, handle, dx, dy, size, 2);
    expect(widthOf(found) / heightOf(found)).toBeCloseTo(2, 0);
    expect(found[0]).toBeGreaterThanOrEqual(0);
    expect(found[1]).toBeGreaterThanOrEqual(0);
    expect(found[2]).toBeLessThanOrEqual(size.width);
    expect(found[3]).toBeLessThanOrEqual(size.height);
  }
});

test("the corner that is opposite of the pulled one stays", () => {
  expect(pulled(box, "se", 50, 0, size, 2).slice(0, 2)).toEqual([100, 100]);
  expect(pulled(box, "nw", -50, 0, size, 2).slice(2)).toEqual([200, 150]);
});

test("a ratio is taken on about the middle", () => {
  expect(withRatio(box, 1)).toEqual([125, 100, 175, 150]);
  expect(withRatio(box, 4)).toEqual([100, 113, 200, 138]);
});
