import i18next from "i18next";
import type { Shape } from "../api/client";
import { amount } from "../components/format";

export type Job = Shape<"JobView">;

const ENDED: readonly Job["state"][] = ["done", "failed", "cancelled", "stopped"];

/** Whether it has a place in the queue, which may be changed: it begins, or goes on, by itself. */
export function hasPlace(job: Job): boolean {
  return job.state === "queued" || job.state === "interrupted";
}

/** Whether it does not run now, and has not ended. */
export function isWaiting(job: Job): boolean {
  return hasPlace(job) || job.state === "paused";
}

/** Which of two jobs goes first: by the queue's order, which a paused job keeps its place in. */
export function inOrder(one: Job, other: Job): number {
  return other.priority - one.priority || one.place - other.place || one.id - other.id;
}

/** Whether it will not go on by itself. */
export function hasEnded(job: Job): boolean {
  return ENDED.includes(job.state);
}

/** What has a job go on that does not by itself; undefined where nothing does. */
export function goesOnBy({ state }: Pick<Job, "state">): "resume" | "retry" | undefined {
  if (state === "paused" || state === "stopped") return "resume";
  return state === "failed" || state === "cancelled" ? "retry" : undefined;
}

/** What it does and of what: `Train a LoRA: mimi-2`, by its prompt where it draws one, or by the path that it writes, or else reads. */
export function titleOf({ kind, words, arguments: given }: Pick<Job, "kind" | "words" | "arguments">): string {
  const prompt = Array.isArray(given.prompts) ? String(given.prompts[0]) : undefined;
  const name = prompt ?? fileOf(given);
  const does = i18next.t(`jobs:kinds.${kind}`, { defaultValue: words });
  return name ? `${does}: ${name}` : does;
}

/** The last part of the path that a job writes, or else reads. */
export function fileOf(given: Job["arguments"]): string | undefined {
  const path = [given.out, given.run, given.file, given.source].find((value): value is string => typeof value === "string");
  return path?.split(/[\\/]/).findLast((part) => part !== "");
}

/** What it is at, and how far: `training 3/15`. */
export function doingOf({ doing, done, of, unit }: NonNullable<Job["progress"]>): string {
  return `${i18next.t(`jobs:doing.${doing.replaceAll(" ", "_")}`, { defaultValue: doing })} ${amount(done, of, unit)}`;
}

/** How much of it is done, from 0 to 1; undefined where that is not known. */
export function shareOf(job: Job): number | undefined {
  return job.progress && job.progress.of > 0 ? Math.min(1, job.progress.done / job.progress.of) : undefined;
}
