import { expect, test } from "vitest";
import { WHOLE, zoomed } from "./zoom";

test("the middle of the frame stays where it is", () => {
  expect(zoomed({ x: 10, y: -20, scale: 2 }, 2)).toEqual({ x: 20, y: -40, scale: 4 });
});

test("zooming has ends, and the least is the whole picture", () => {
  expect(zoomed(WHOLE, 100).scale).toBe(16);
  expect(zoomed({ x: 99, y: 99, scale: 1.1 }, 0.5)).toEqual(WHOLE);
});
