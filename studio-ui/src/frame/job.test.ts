import i18next from "i18next";
import { beforeAll, expect, test } from "vitest";
import { resources } from "../words/resources";
import { doingOf, goesOnBy, inOrder, type Job, titleOf } from "./job";

beforeAll(() => i18next.init({ lng: "en", resources: resources as never, interpolation: { escapeValue: false } }));

test.each([
  [{ kind: "train", words: "Train a LoRA", arguments: { out: "projects/mimi/runs/mimi-2" } }, "Train a LoRA: mimi-2"],
  [{ kind: "prove", words: "Prove a LoRA", arguments: { run: "/home/me/lora/projects/mimi/runs/mimi-2/" } }, "Prove a LoRA: mimi-2"],
  [{ kind: "download", words: "Download a model", arguments: { kind: "base", source: "owner/name" } }, "Download a model: name"],
  [{ kind: "audit", words: "Audit a dataset", arguments: { dataset: "projects/mimi/dataset" } }, "Audit a dataset"],
  [
    { kind: "sample", words: "Generate pictures", arguments: { out: ".lorasmith/playground/1a2b", prompts: ["a cat"] } },
    "Generate pictures: a cat",
  ],
])("jobs of one kind are told apart by what they make or read", (job, title) => {
  expect(titleOf(job)).toBe(title);
});

test("jobs stand in the queue's order, however they came to the page", () => {
  const job = (id: number, place: number, priority = 0) => ({ id, place, priority }) as Job;
  const listed = [job(1, 4), job(2, 3), job(3, 9, 5), job(4, 1)];
  expect(listed.sort(inOrder).map(({ id }) => id)).toEqual([3, 4, 2, 1]);
});

test("a job is told of in the page's language, and in the studio's words where the page has none", async () => {
  const progress = { doing: "making thumbnails", done: 3, of: 15, unit: "picture", rate: null, eta: null };
  await i18next.changeLanguage("ja");
  expect(doingOf(progress)).toBe("サムネイルを作成中 3/15");
  expect(doingOf({ ...progress, doing: "caching everything" })).toBe("caching everything 3/15");
  expect(titleOf({ kind: "train", words: "Train a LoRA", arguments: { out: "runs/mimi" } })).toBe("LoRAを学習: mimi");
  await i18next.changeLanguage("en");
});

test.each([
  ["paused", "resume"],
  ["stopped", "resume"],
  ["failed", "retry"],
  ["cancelled", "retry"],
  ["interrupted", undefined],
  ["running", undefined],
  ["done", undefined],
] as const)("a job that is %s goes on by %s", (state, verb) => {
  expect(goesOnBy({ state })).toBe(verb);
});
