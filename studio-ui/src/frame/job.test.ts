import { expect, test } from "vitest";
import { inOrder, type Job, titleOf } from "./job";

test.each([
  [{ words: "Train a LoRA", arguments: { out: "projects/mimi/runs/mimi-2" } }, "Train a LoRA: mimi-2"],
  [{ words: "Prove a run", arguments: { run: "/home/me/lora/projects/mimi/runs/mimi-2/" } }, "Prove a run: mimi-2"],
  [{ words: "Download a model", arguments: { kind: "base", source: "owner/name" } }, "Download a model: name"],
  [{ words: "Audit a dataset", arguments: { dataset: "projects/mimi/dataset" } }, "Audit a dataset"],
])("jobs of one kind are told apart by what they make or read", (job, title) => {
  expect(titleOf(job)).toBe(title);
});

test("jobs stand in the queue's order, however they came to the page", () => {
  const job = (id: number, place: number, priority = 0) => ({ id, place, priority }) as Job;
  const listed = [job(1, 4), job(2, 3), job(3, 9, 5), job(4, 1)];
  expect(listed.sort(inOrder).map(({ id }) => id)).toEqual([3, 4, 2, 1]);
});
