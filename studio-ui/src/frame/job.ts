import type { Shape } from "../api/client";

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

/** What it does and of what: `Train a LoRA: mimi-2`, by the path that it writes, or else reads. */
export function titleOf({ words, arguments: given }: Pick<Job, "words" | "arguments">): string {
  const path = [given.out, given.run, given.file, given.source].find((value): value is string => typeof value === "string");
  const name = path?.split(/[\\/]/).findLast((part) => part !== "");
  return name ? `${words}: ${name}` : words;
}

/** How much of it is done, from 0 to 1; undefined where that is not known. */
export function shareOf(job: Job): number | undefined {
  return job.progress && job.progress.of > 0 ? Math.min(1, job.progress.done / job.progress.of) : undefined;
}
