import { expect, test } from "vitest";
import { completionsOf, wordStart } from "./completion";

const tags = [
  { tag: "red hat", count: 9 },
  { tag: "hat", count: 4 },
  { tag: "tree", count: 2 },
];
const becomes = (word: string, behind = "") => completionsOf(word, behind, tags).map((one) => one.becomes.trim());

test.each([
  ["tag:h", 5, 0],
  ["tag:hat AND ta", 14, 12],
  ['NOT (tag:"red h', 15, 5],
  ["tag:hat ", 8, 8],
  ["tag:hat AND", 3, 0],
])("of %s at %i the word begins at %i", (text, caret, start) => {
  expect(wordStart(text, caret)).toBe(start);
});

test("a beginning becomes fields and tags", () => {
  expect(becomes("ta")).toEqual(["tag:", "tags:"]);
  expect(becomes("h")).toEqual(["tag:hat", 'tag:"red hat"']);
});

test("after tag: it becomes tags, written so that they are found, those that begin so first", () => {
  expect(becomes("tag:ha")).toEqual(["tag:hat", 'tag:"red hat"']);
  expect(becomes('tag:"red_')).toEqual(['tag:"red hat"']);
});

test("numbers are compared", () => {
  expect(becomes("tags:")).toEqual(["tags:>", "tags:<", "tags:="]);
  expect(becomes("tags:>")).toEqual([]);
});

test("behind a condition comes what joins it with another", () => {
  expect(becomes("", "tag:hat ").slice(0, 3)).toEqual(["AND", "OR", "NOT"]);
  expect(becomes("", "tag:hat AND ")[0]).toBe("tag:");
  expect(becomes("a", "tag:hat ")[0]).toBe("AND");
});

test("what is between quotes is completed by nothing", () => {
  expect(becomes('"red h')).toEqual([]);
  expect(becomes("caption:ha")).toEqual([]);
});
