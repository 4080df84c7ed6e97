import type { QueryClient } from "@tanstack/react-query";
import { lookAgain } from "../../api/queries";
import { hasEnded, type Job } from "../../frame/job";
import type { ModelKind } from "./sections";

/** The downloads of models of this kind that are under way or have failed, without those that were tried again since or dismissed. */
export function downloadsOf(jobs: readonly Job[], kind: ModelKind): Job[] {
  const latest = new Map(jobs.filter((job) => job.kind === "download" && job.arguments.kind === kind).map((job) => [sourceOf(job), job]));
  return [...latest.values()].filter((job) => !hasEnded(job) || (job.state === "failed" && !job.dismissed));
}

/** What a job downloads. */
export function sourceOf(job: Job): string {
  return String(job.arguments.source ?? "");
}

/** Ask again for models, wherever they are shown. */
export function modelsChanged(client: QueryClient): Promise<void> {
  return lookAgain(client, "/api/models", "/api/bases", "/api/taggers", "/api/vocabularies");
}
