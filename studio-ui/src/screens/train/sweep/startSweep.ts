import type { QueryClient } from "@tanstack/react-query";
import { api, ask, type Shape } from "../../../api/client";
import { keyOf } from "../../../api/queries";
import { putJob } from "../../../events/Freshness";
import type { Tree } from "../tree";

/** Puts a sweep into the queue, as one of a project's runs; it has been checked then. Its page knows at once that it waits. */
export async function startSweep(client: QueryClient, project: string, folder: string, sweep: Tree, ray = ""): Promise<void> {
  const given = { sweep, out: `projects/${project}/runs/${folder}`, ...(ray ? { ray } : {}) };
  const job = await ask(api.POST("/api/jobs", { body: { kind: "sweep", project, priority: 0, arguments: given } }));
  client.setQueryData<Shape<"JobView">[]>(keyOf("/api/jobs"), (known) => known && putJob(known, job));
}

export function addressOfSweep(project: string, folder: string): string {
  return `/sweeps/${encodeURIComponent(`${project}~${folder}`)}`;
}
