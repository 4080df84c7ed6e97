import { expect, test } from "vitest";
import { divided } from "./concepts";

test("folders say concept and repeats, and what part of an epoch that is", () => {
  const { concepts, heldOut } = divided(["10_anna/1.png", "10_anna/2.png", "5_dress/1.png", "holdout/10_anna/3.png", "loose.png"]);
  expect(concepts.map(({ name, repeats, pictures }) => [name, repeats, pictures.length])).toEqual([
    ["anna", 10, 2],
    ["dress", 5, 1],
    ["", 1, 1],
  ]);
  expect(concepts[0]?.share).toBeCloseTo(20 / 26);
  expect(heldOut).toEqual(["holdout/10_anna/3.png"]);
});

test("regularisation is told apart and comes last, and a year is no number of repeats", () => {
  const { concepts } = divided(["Reg/100_woman/1.png", "2024_holiday/1.png", "3_a/b/1.png"]);
  expect(concepts.map(({ name, regularisation }) => [name, regularisation])).toEqual([
    ["", false],
    ["woman", true],
  ]);
});

test("an empty dataset has none", () => {
  expect(divided([])).toEqual({ concepts: [], heldOut: [] });
});
