import { expect, test } from "vitest";
import { resources } from "./resources";

/** `{a: {b: ""}}` as `a.b`; a plural's forms count as one, for languages have different ones. */
function keysOf(words: Record<string, unknown>, before = ""): string[] {
  return Object.entries(words).flatMap(([key, value]) =>
    typeof value === "object" ? keysOf(value as Record<string, unknown>, `${before}${key}.`) : [before + key.replace(/_(one|other)$/, "")],
  );
}

/** The names between braces. */
function slotsOf(words: Record<string, unknown>, before = ""): Record<string, Set<string>> {
  const found: Record<string, Set<string>> = {};
  for (const [key, value] of Object.entries(words)) {
    if (typeof value === "object") Object.assign(found, slotsOf(value as Record<string, unknown>, `${before}${key}.`));
    else {
      const name = before + key.replace(/_(one|other)$/, "");
      found[name] = new Set([...(found[name] ?? []), ...(String(value).match(/\{\{\w+\}\}/g) ?? [])]);
    }
  }
  return found;
}

const english = resources.en ?? {};

test.each(Object.keys(english))("%s is there in Japanese, word for word", (file) => {
  const [en, ja] = [english[file] ?? {}, resources.ja?.[file] ?? {}];
  expect([...new Set(keysOf(ja))].sort()).toEqual([...new Set(keysOf(en))].sort());
  expect(slotsOf(ja)).toEqual(slotsOf(en));
});

/** Every source of the page, to find what it says. */
const sources = import.meta.glob<string>("../**/*.{ts,tsx}", { eager: true, query: "?raw", import: "default" });

test("every word that a source asks for is there", () => {
  const missing: string[] = [];
  for (const [path, text] of Object.entries(sources)) {
    const own = text.match(/useTranslation\("(\w+)"\)/)?.[1];
    for (const [, key] of text.matchAll(/\bt\("([\w:.]+)"/g)) {
      const [file, name] = (key as string).includes(":") ? (key as string).split(":") : [own ?? "frame", key];
      const known = new Set(keysOf(english[file as string] ?? {}));
      if (!known.has(name as string)) missing.push(`${path}: ${file}:${name}`);
    }
  }
  expect(missing).toEqual([]);
});

test("no sentence stands in a source instead of in the words", () => {
  const found: string[] = [];
  for (const [path, text] of Object.entries(sources)) {
    if (!path.endsWith(".tsx")) continue;
    for (const [, sentence] of text.matchAll(/>\s*([A-Z][a-z]+(?: [a-z]+)+[.!?]?)\s*</g)) found.push(`${path}: ${sentence}`);
    for (const [, sentence] of text.matchAll(/(?:label|title|placeholder|description|aria-label)="([A-Z][^"]*)"/g)) {
      if (sentence !== "Lorasmith") found.push(`${path}: ${sentence}`);
    }
  }
  expect(found).toEqual([]);
});

/** How Japanese is written here, by what is not: a name, and what would be mended. */
const NOT_WRITTEN: [string, RegExp][] = [
  ["a space between Japanese and letters, numbers or slots", /[ぁ-んァ-ヶー一-龠々] (?=[\w{(])|[\w})%] (?=[ぁ-んァ-ヶ一-龠])/],
  ["brackets and colons of full width", /[（）：]/],
  ["フォルダ without ー", /フォルダ(?!ー)/],
  ["a comma or a full stop of English between Japanese", /[ぁ-んァ-ヶー一-龠々][,.](?=[ぁ-んァ-ヶ一-龠]|$)/],
  ["a question or exclamation mark of half width after Japanese", /[ぁ-んァ-ヶー一-龠々][?!]/],
  ["a tilde for a range", /\d ?[~～] ?\d/],
  ["被写体, where all else says 題材", /被写体/],
];

function textsOf(words: Record<string, unknown>, before = ""): [string, string][] {
  return Object.entries(words).flatMap(([key, value]) =>
    typeof value === "object"
      ? textsOf(value as Record<string, unknown>, `${before}${key}.`)
      : [[before + key, String(value)] as [string, string]],
  );
}

test.each(NOT_WRITTEN)("no Japanese word has %s", (_, wrong) => {
  const found = Object.entries(resources.ja ?? {}).flatMap(([file, words]) => textsOf(words, `${file}:`));
  expect(found.filter(([, text]) => wrong.test(text))).toEqual([]);
});
