import { expect, test } from "vitest";
import { suggestionsFor } from "./suggest";

const own = [
  { tag: "red hat", count: 9, source: "" },
  { tag: "hatching", count: 2, source: "" },
];
const listed = [
  { tag: "hat", count: 120_000, source: "vocabularies/danbooru.csv" },
  { tag: "hatching", count: 300, source: "vocabularies/danbooru.csv" },
];

test("own tags that begin so come first, then the tag list's, then own ones with it inside", () => {
  expect(suggestionsFor("ha", own, listed, []).map((one) => one.tag)).toEqual(["hatching", "hat", "red hat"]);
});

test("what the caption has is not suggested", () => {
  expect(suggestionsFor("HAT", own, listed, ["hat", "Red_Hat"]).map((one) => one.tag)).toEqual(["hatching"]);
});

test("nothing typed suggests nothing", () => {
  expect(suggestionsFor("  ", own, listed, [])).toEqual([]);
});
