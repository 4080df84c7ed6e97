import type { Shape } from "../../api/client";
import { picturesFolder } from "../../components/paths";

/** What a job that audits a project's pictures is given, so that it judges as the screen does. */
export function auditArguments(project: Shape<"ProjectView">, resolution: number) {
  const kind = project.kind === "multi-concept" ? "concept" : project.kind;
  return { dataset: picturesFolder(project), kind, resolution, without: project.audit_without, words: false };
}
