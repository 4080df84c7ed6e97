import { expect, test } from "vitest";
import type { Job } from "../../frame/job";
import { lastJob, looksAtPictures, mayFollow } from "./lastJob";

const job = (id: number, state: Job["state"], more: Partial<Job> = {}) =>
  ({ id, state, kind: "audit", project: "mimi", arguments: {}, dismissed: false, ...more }) as Job;

test("the newest of a project's jobs counts, in whatever order they are listed", () => {
  const jobs = [job(3, "failed"), job(1, "done"), job(4, "done", { project: "anna" }), job(5, "done", { arguments: { words: true } })];
  expect(lastJob(jobs, "mimi", looksAtPictures)?.id).toBe(3);
  expect(lastJob(undefined, "mimi", looksAtPictures)).toBeUndefined();
});

test("no job follows by itself one that failed or was cancelled", () => {
  expect(mayFollow(undefined)).toBe(true);
  expect(mayFollow(job(1, "done"))).toBe(true);
  for (const state of ["failed", "cancelled", "stopped", "running"] as const) expect(mayFollow(job(1, state))).toBe(false);
  expect(mayFollow(job(1, "failed", { dismissed: true }))).toBe(true);
});
