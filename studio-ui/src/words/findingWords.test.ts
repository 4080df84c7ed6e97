import i18next from "i18next";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Shape } from "../api/client";
import { findingWords, messageOf } from "./findingWords";
import { resources } from "./resources";

beforeEach(() => i18next.init({ resources: resources as never, lng: "ja", fallbackLng: "en", interpolation: { escapeValue: false } }));
afterEach(() => i18next.changeLanguage("en"));

const finding: Shape<"FindingView"> = {
  code: "lint.large_batch",
  severity: "warning",
  message: "training.batch_size is 8.",
  about: "setting",
  subjects: ["training.batch_size"],
  evidence: { number: 8, unit: "pictures", text: "8 pictures" },
  why: "Over 4 details average out.",
  fix: { words: "Set training.batch_size to 4 or less.", changes: [{ kind: "setting", setting: "training.batch_size", value: 4 }] },
  source: "",
  confidence: 1,
  details: [],
};

test("a finding is said in Japanese by its code, with what was measured and what a click sets; the package's words are kept beside", () => {
  expect(findingWords(finding)).toEqual({
    message: "バッチサイズが大きめです。",
    evidence: "8枚",
    why: "4を超えると細部が平均化され、より高い学習率が必要になります。",
    fix: "4以下にしてください。(training.batch_size = 4)",
    original: "training.batch_size is 8. 8 pictures Over 4 details average out. Set training.batch_size to 4 or less.",
  });
});

test("one of several pictures says how many they are", () => {
  const several = { ...finding, code: "audit.dark", about: "picture" as const, subjects: ["a.png", "b.png"], fix: null, evidence: null };
  expect(findingWords(several)).toMatchObject({
    message: "とても暗い画像です。(2件)",
    evidence: "",
    fix: "画像編集ソフトで明るくするか、外してください。",
  });
  expect(messageOf("audit.dark", "The picture is very dark.")).toBe("とても暗い画像です。");
});

test("a file of a folder is named, and what only counts the subjects is not said twice", () => {
  const { message } = findingWords({ ...finding, code: "folder.caption_empty", about: "caption", subjects: ["a.txt"], evidence: null });
  expect(message).toBe("キャプションのファイルが空です。(a.txt)");
  const two = { ...finding, code: "captions.empty", about: "caption" as const, subjects: ["a", "b"] };
  expect(findingWords({ ...two, evidence: { number: 2, unit: "captions", text: "2 captions" } }).evidence).toBe("");
});

test("settings that do little together are named, as their sentence in Japanese is one for all", () => {
  const little = {
    ...finding,
    code: "settings.little_effect",
    subjects: ["noise.noise_offset", "noise.adaptive_noise_scale"],
    evidence: null,
  };
  expect(findingWords(little).message).toContain("(noise.noise_offset、noise.adaptive_noise_scale)");
  expect(findingWords({ ...little, subjects: ["training.blocks_to_swap"] }).message).toContain("(training.blocks_to_swap)");
});

test("a finding whose code the page does not know, and all in English, is as the package says it", async () => {
  const plain = { message: finding.message, evidence: "8 pictures", why: finding.why, fix: finding.fix?.words };
  expect(findingWords({ ...finding, code: "check.quite_new" })).toEqual(plain);
  await i18next.changeLanguage("en");
  expect(findingWords(finding)).toEqual(plain);
  expect(messageOf("audit.dark", "The picture is very dark.")).toBe("The picture is very dark.");
});
