import type { Job } from "../../frame/job";

/** The newest of a project's jobs that fit. */
export function lastJob(jobs: readonly Job[] | undefined, project: string, fits: (job: Job) => boolean): Job | undefined {
  return jobs
    ?.filter((job) => job.project === project && fits(job))
    .sort((one, other) => one.id - other.id)
    .at(-1);
}

/** A mend of pictures that a page named. */
export function mendsNamed({ kind, arguments: given }: Job): boolean {
  return kind === "mend" && Array.isArray(given.pictures);
}

/** Looks at pictures, and does not read the words on them. */
export function looksAtPictures({ kind, arguments: given }: Job): boolean {
  return kind === "audit" && given.words !== true;
}

/** Whether another job may be added after this one: not after one that did not end well, which a person tries again. */
export function mayFollow(job: Job | undefined): boolean {
  return job === undefined || job.state === "done" || job.dismissed;
}
