import { expect, test } from "vitest";
import { differenceOf } from "./difference";

function written(before: string, after: string): string {
  const marks = { stays: ["", ""], goes: ["-", "-"], comes: ["+", "+"] };
  return differenceOf(before, after)
    .map(({ kind, text }) => `${marks[kind][0]}${text}${marks[kind][1]}`)
    .join("");
}

test.each([
  ["zorvex, hat", "zorvex, hat", "zorvex, hat"],
  ["zorvex, hat", "zorvex, cap", "zorvex, -hat-+cap+"],
  ["zorvex, hat, night", "zorvex, night", "zorvex, -hat, -night"],
  ["zorvex", "zorvex, hat", "zorvex, +hat+"],
  ["", "hat", "+hat+"],
  ["hat", "", "-hat-"],
  ["a, b, c", "c, a, b", "+c, +a, b-c-"],
])("%s becomes %s", (before, after, shown) => {
  expect(written(before, after)).toBe(shown);
});
