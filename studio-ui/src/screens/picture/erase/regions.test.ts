import { expect, test } from "vitest";
import { closes, erasing, inPicture, NO_REGIONS, type Point, withOutline, withoutLast, withStroke } from "./regions";

const triangle: Point[] = [
  [0, 0],
  [10, 0],
  [0, 10],
];
const stroke = { points: [[5, 5] as Point], width: 4 };

test("what was drawn last is taken back first", () => {
  const both = withStroke(withOutline(NO_REGIONS, triangle), stroke);
  expect(withoutLast(both)).toEqual(withOutline(NO_REGIONS, triangle));
  expect(withoutLast(withoutLast(both))).toEqual(NO_REGIONS);
});

test("two points enclose nothing", () => {
  expect(withOutline(NO_REGIONS, triangle.slice(0, 2))).toBe(NO_REGIONS);
});

test("an outline is closed near its first point, once it has three", () => {
  expect(closes(triangle, [1, 1], 2)).toBe(true);
  expect(closes(triangle, [5, 5], 2)).toBe(false);
  expect(closes(triangle.slice(0, 2), [0, 0], 2)).toBe(false);
});

test("points are whole pixels of the picture", () => {
  expect(inPicture([-3, 99.6], { width: 50, height: 80 })).toEqual([0, 79]);
});

test("boxes, outlines and what was painted are sent together", () => {
  expect(erasing([], NO_REGIONS, "")).toBeUndefined();
  expect(erasing([[1, 2, 3, 4]], withOutline(NO_REGIONS, triangle), "iVBOR")).toEqual({
    way: "erase",
    parameters: {
      boxes: [[1, 2, 3, 4]],
      polygons: [
        [
          [0, 0],
          [10, 0],
          [0, 10],
        ],
      ],
      painted: "iVBOR",
    },
  });
});
