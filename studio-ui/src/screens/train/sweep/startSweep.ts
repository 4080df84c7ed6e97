import { api, ask, type Shape } from "../../../api/client";
import type { Tree } from "../tree";

/** Puts a sweep into the queue, as one of a project's runs; it has been checked then. */
export function startSweep(project: string, folder: string, sweep: Tree, ray = ""): Promise<Shape<"JobView">> {
  const given = { sweep, out: `projects/${project}/runs/${folder}`, ...(ray ? { ray } : {}) };
  return ask(api.POST("/api/jobs", { body: { kind: "sweep", project, priority: 0, arguments: given } }));
}

export function addressOfSweep(project: string, folder: string): string {
  return `/sweeps/${encodeURIComponent(`${project}~${folder}`)}`;
}
