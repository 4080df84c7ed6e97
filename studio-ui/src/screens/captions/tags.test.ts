import { expect, test } from "vitest";
import { isSentences, moved, splitTriggers, tagsOf, tagsOfText, textWithTags, withSpaces, withTags } from "./tags";

test("what is typed with commas is several tags", () => {
  expect(tagsOf(" red hat, , smile ")).toEqual(["red hat", "smile"]);
});

test.each([
  ["long_hair", "long hair"],
  ["fate_\\(series\\)", "fate (series)"],
  ["^_^", "^_^"],
  ["o_o", "o_o"],
])("%s of a tagger is %s in a caption", (tagger, caption) => {
  expect(withSpaces(tagger)).toBe(caption);
});

test("a tag that is there, in whatever spelling, is not added again", () => {
  expect(withTags(["zorvex", "long hair"], ["Long_Hair", "hat", "hat"])).toEqual(["zorvex", "long hair", "hat"]);
});

test.each([
  [0, 2, "bca"],
  [2, 0, "cab"],
  [1, 1, "abc"],
])("a tag moved from %i to %i gives %s", (from, to, order) => {
  expect(moved(["a", "b", "c"], from, to).join("")).toBe(order);
});

test("only triggers that stand in front are in front", () => {
  expect(splitTriggers(["zorvex", "hat", "zorvex"], ["zorvex"])).toEqual([["zorvex"], ["hat", "zorvex"]]);
  expect(splitTriggers(["zorvex"], ["zorvex"])).toEqual([["zorvex"], []]);
  expect(splitTriggers([], ["zorvex"])).toEqual([[], []]);
});

test("other tags leave the sentence below them alone", () => {
  const text = "\nzorvex, hat\nA girl with a hat.";
  expect(tagsOfText(text)).toEqual(["zorvex", "hat"]);
  expect(textWithTags(text, ["zorvex", "cap"])).toBe("\nzorvex, cap\nA girl with a hat.");
  expect(textWithTags("a,b", ["b", "a"])).toBe("b,a");
  expect(textWithTags("", ["a", "b"])).toBe("a, b");
});

test("sentences are told from tags by their length", () => {
  expect(isSentences("zorvex, a girl who is standing on a beach at night")).toBe(true);
  expect(isSentences("zorvex, holding a red umbrella, night")).toBe(false);
});
