import { expect, test } from "vitest";
import { continued, perStep, smoothed, thinned } from "./series";

test("smoothing begins at the first value and keeps gaps", () => {
  expect(smoothed([2, null, 4], 0.5)).toEqual([2, null, (0.5 * 0.5 * 2 + 0.5 * 4) / 0.75]);
});

test("a constant stays what it is at any weight", () => {
  for (const value of smoothed([3, 3, 3, 3], 0.97)) expect(value).toBeCloseTo(3, 12);
});

test("without weight nothing is smoothed", () => {
  expect(smoothed([1, 5], 0)).toEqual([1, 5]);
});

test("later points take the place of those they overlap", () => {
  const points = { steps: [1, 2, 3, 4], values: [1, 2, 3, 4] };
  expect(continued(points, { steps: [3, 5], values: [30, 50] })).toEqual({ steps: [1, 2, 3, 5], values: [1, 2, 30, 50] });
  expect(continued(points, { steps: [], values: [] })).toEqual(points);
  expect(continued(undefined, points)).toEqual(points);
});

test("thinning keeps the spike and the dip", () => {
  const steps = Array.from({ length: 10_000 }, (_, at) => at);
  const values = steps.map((step) => (step === 4321 ? 99 : step === 7654 ? -99 : Math.sin(step)));
  const few = thinned({ steps, values }, 200);
  expect(few.steps.length).toBeLessThanOrEqual(200);
  expect(few.values).toContain(99);
  expect(few.values).toContain(-99);
  expect([...few.steps].sort((one, other) => one - other)).toEqual(few.steps);
});

test("what the x axis counts", () => {
  const run = { steps: 440, epochs: 8, imagesAStep: 4 };
  expect([440 * perStep("steps", run), 440 * perStep("epochs", run), 440 * perStep("images", run)]).toEqual([440, 8, 1760]);
});
