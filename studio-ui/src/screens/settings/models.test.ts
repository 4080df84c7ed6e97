import { expect, test } from "vitest";
import type { Job } from "../../frame/job";
import { downloadsOf } from "./models";

function download(id: number, source: string, state: Job["state"], kind = "base"): Job {
  return { id, kind: "download", state, arguments: { kind, source } } as unknown as Job;
}

test("a download that failed is shown until it is tried again", () => {
  const failed = download(1, "one", "failed");
  expect(downloadsOf([failed], "base")).toEqual([failed]);
  const again = download(2, "one", "running");
  expect(downloadsOf([failed, again], "base")).toEqual([again]);
  expect(downloadsOf([failed, download(3, "one", "done")], "base")).toEqual([]);
});

test("a download that failed and was dismissed is shown no more", () => {
  const dismissed = { ...download(1, "one", "failed"), dismissed: true };
  expect(downloadsOf([dismissed], "base")).toEqual([]);
  expect(downloadsOf([dismissed, download(2, "one", "running")], "base")).toHaveLength(1);
});

test("downloads of other kinds are not shown", () => {
  expect(downloadsOf([download(1, "one", "running", "tagger"), { ...download(2, "two", "running"), kind: "train" }], "base")).toEqual([]);
});
