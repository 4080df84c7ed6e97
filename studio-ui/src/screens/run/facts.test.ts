import { expect, test } from "vitest";
import { flat, imagesAStep, settingOf } from "./facts";

const settings = { name: "mimi", training: { batch_size: 4, gradient_accumulation_steps: 2, num_processes: 1 }, datasets: [{ path: "x" }] };

test("images that a step sees", () => {
  expect(imagesAStep(settings)).toBe(8);
  expect(imagesAStep({})).toBe(1);
});

test("values by their dotted names", () => {
  expect(settingOf(settings, "training.batch_size")).toBe(4);
  expect(settingOf(settings, "training.nothing.at.all")).toBeUndefined();
});

test("a tree as lines, without brackets and quotes", () => {
  expect(flat({ ...settings, samples: { prompts: ["a, b", "c"], more: [] } })).toEqual([
    ["name", "mimi"],
    ["training.batch_size", "4"],
    ["training.gradient_accumulation_steps", "2"],
    ["training.num_processes", "1"],
    ["datasets.0.path", "x"],
    ["samples.prompts", "a, b\nc"],
    ["samples.more", "–"],
  ]);
});
