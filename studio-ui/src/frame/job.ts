import type { Shape } from "../api/client";

export type Job = Shape<"JobView">;

const ENDED: readonly Job["state"][] = ["done", "failed", "cancelled", "stopped"];

/** Whether it has its place in the queue and has not begun. */
export function isWaiting(job: Job): boolean {
  return job.state === "queued" || job.state === "paused" || job.state === "interrupted";
}

/** Whether it will not go on by itself. */
export function hasEnded(job: Job): boolean {
  return ENDED.includes(job.state);
}

/** How much of it is done, from 0 to 1; undefined where that is not known. */
export function shareOf(job: Job): number | undefined {
  return job.progress && job.progress.of > 0 ? Math.min(1, job.progress.done / job.progress.of) : undefined;
}
