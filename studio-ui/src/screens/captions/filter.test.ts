import { expect, test } from "vitest";
import { conditionOf } from "../../components/filter/condition";
import { standingOf, toggled } from "./filter";

test.each([
  ["hat", "tag:hat"],
  ["red hat", 'tag:"red hat"'],
  ["fate (series)", 'tag:"fate (series)"'],
  ['the "best" hat', 'tag:"the \\"best\\" hat"'],
  ["what?", "tag:what\\?"],
])("%s is asked for by %s", (tag, condition) => {
  expect(conditionOf(tag)).toBe(condition);
});

test("a click asks for a tag, and a second one takes that back", () => {
  expect(toggled("", "hat", "with")).toBe("tag:hat");
  expect(toggled("tag:hat", "red scarf", "with")).toBe('tag:hat AND tag:"red scarf"');
  expect(toggled('tag:hat AND tag:"red scarf"', "hat", "with")).toBe('tag:"red scarf"');
});

test("an excluding click turns a wanted tag round", () => {
  expect(toggled("tag:hat AND tags:<5", "hat", "without")).toBe("tags:<5 AND NOT tag:hat");
  expect(standingOf("tags:<5 AND NOT tag:hat", "hat")).toBe("without");
  expect(toggled("tags:<5 AND NOT tag:hat", "hat", "without")).toBe("tags:<5");
});

test("a filter with OR stays as it is, in brackets", () => {
  const filter = "tag:hat OR beach";
  expect(toggled(filter, "night", "with")).toBe("(tag:hat OR beach) AND tag:night");
  expect(standingOf(filter, "hat")).toBe(undefined);
  expect(toggled("(tag:hat OR beach) AND tag:night", "night", "with")).toBe("(tag:hat OR beach)");
});

test("AND between quotes is no AND", () => {
  expect(toggled('caption:"salt AND pepper"', "hat", "with")).toBe('caption:"salt AND pepper" AND tag:hat');
});
