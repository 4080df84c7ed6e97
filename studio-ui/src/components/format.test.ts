import { expect, test } from "vitest";
import { roughly } from "./format";

test.each([
  [9.4, "9 sec"],
  [150, "2 min 30 sec"],
  [520, "9 min"],
  [2 * 3600 + 7 * 60 + 31, "2 hr 8 min"],
  [5 * 3600 + 40 * 60, "6 hr"],
])("%d estimated seconds are %s: no digit that nobody can know", (seconds, words) => {
  expect(roughly(seconds)).toBe(words);
});
