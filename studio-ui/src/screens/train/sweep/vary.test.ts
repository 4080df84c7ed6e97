import { expect, test } from "vitest";
import { draftOf, isDoubtful, NEW_SWEEP, newRow, type SweepDraft, sweepOf, valuesIn } from "./vary";

test.each([
  ["8, 16", [8, 16]],
  ["1e-4,5e-5", [1e-4, 5e-5]],
  ["true, false", [true, false]],
  ["lora, lokr", ["lora", "lokr"]],
  ["lora, 8,", ["lora", 8]],
  [
    "[8, 4], [16, 8]",
    [
      [8, 4],
      [16, 8],
    ],
  ],
  ["", []],
])("%s are the values %j", (text, values) => expect(valuesIn(text)).toEqual(values));

test.each(["0,0001", "0,5", " 0,0001, 0,0002 ", "0,0001; 0,0002", "1,5; 2,5", "1,5, 2,5", "0,0001,0,0002", "1,5e-4", "-0,5", "1,05"])(
  "in %s a comma may be a decimal one, so the studio is sent what was typed, and asks",
  (typed) => {
    expect(isDoubtful(typed)).toBe(true);
    const rate = { ...newRow("optimizer.learning_rate", 1e-4), values: typed };
    expect(sweepOf({ ...NEW_SWEEP, rows: [rate] }, "rates", {}).vary).toEqual({ "optimizer.learning_rate": typed.trim() });
  },
);

test.each([
  "8,16",
  "8,16,32",
  "8, 16",
  "1e-4,5e-5",
  "0, 0.1",
  "0.5,1",
  "lora, lokr",
  "[8,4], [16,8]",
  "[0,5],[0,6]",
  '"0,5", "1"',
  "0",
  "10_anna,11_bert",
  "",
])("in %s no comma can be a decimal one", (typed) => expect(isDoubtful(typed)).toBe(false));

test("a draft is what a sweep's file says, and what is left empty is not said", () => {
  const rank = { ...newRow("network.rank", 8), values: "8, 16" };
  const rate = { ...newRow("optimizer.learning_rate", 1e-4), form: "range" as const, from: "1e-5", to: "1e-3", log: true };
  const draft: SweepDraft = { ...NEW_SWEEP, rows: [rank, rate], search: "random", trials: "12", share: "0.3" };
  expect(sweepOf(draft, "rates", { name: "toy" })).toEqual({
    name: "rates",
    settings: { name: "toy" },
    vary: { "network.rank": [8, 16], "optimizer.learning_rate": { from: 1e-5, to: 1e-3, scale: "log" } },
    search: "random",
    trials: 12,
    share: 0.3,
    effort: "quick",
    stop_early: true,
  });
  expect(sweepOf({ ...draft, search: "grid" }, "rates", {})).not.toHaveProperty("trials"); // a grid takes every combination
});

test("a sweep that is read as a draft says the same again, with settings that vary together", () => {
  const vary = {
    "network.rank, network.alpha": [
      [8, 4],
      [16, 8],
    ],
    "optimizer.learning_rate": { from: 1e-5, to: 1e-3, count: 3, scale: "log" },
    "captions.trigger": ["zorvex", "1, 2", "true"],
  };
  const sweep = { name: "ladder", settings: {}, vary, search: "grid", share: 0.3, effort: "quick", stop_early: true };
  expect(sweepOf(draftOf(sweep, NEW_SWEEP), "ladder", {})).toEqual(sweep);
});
