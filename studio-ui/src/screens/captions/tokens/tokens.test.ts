import { expect, test } from "vitest";
import { chunksOf, enough, type Tokens, unreadTags } from "./tokens";

const long: Tokens = {
  base: "sdxl.safetensors",
  tokens: 90,
  chunk: 75,
  limits: [
    { tokens: 75, unread: "red hat, blue ball" },
    { tokens: 150, unread: "" },
    { tokens: 225, unread: "" },
  ],
};

test("a long caption fills one chunk and a part of the next, which is not read", () => {
  expect(chunksOf(long)).toEqual([
    { full: 1, read: true },
    { full: 0.2, read: false },
  ]);
  expect(unreadTags(long)).toBe(2);
  expect(enough(long)).toBe(150);
});

test("a short caption fills a part of one chunk, and all of it is read", () => {
  const short = { ...long, tokens: 15, limits: [{ tokens: 75, unread: "" }] };
  expect(chunksOf(short)).toEqual([{ full: 0.2, read: true }]);
  expect(unreadTags(short)).toBe(0);
  expect(enough(short)).toBeUndefined();
});

test("where all tokens are read together there is one chunk as long as the limit, and what is above it", () => {
  const sentences = { ...long, tokens: 300, chunk: null, limits: [{ tokens: 200, unread: "and a tree" }] };
  expect(chunksOf(sentences)).toEqual([
    { full: 1, read: true },
    { full: 0.5, read: false },
  ]);
  expect(enough(sentences)).toBeUndefined();
});
