import { expect, test } from "vitest";
import { titleOf } from "./job";

test.each([
  [{ words: "Train a LoRA", arguments: { out: "projects/mimi/runs/mimi-2" } }, "Train a LoRA: mimi-2"],
  [{ words: "Prove a run", arguments: { run: "/home/me/lora/projects/mimi/runs/mimi-2/" } }, "Prove a run: mimi-2"],
  [{ words: "Download a model", arguments: { kind: "base", source: "owner/name" } }, "Download a model: name"],
  [{ words: "Audit a dataset", arguments: { dataset: "projects/mimi/dataset" } }, "Audit a dataset"],
])("jobs of one kind are told apart by what they make or read", (job, title) => {
  expect(titleOf(job)).toBe(title);
});
