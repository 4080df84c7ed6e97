import type { Shape } from "../../api/client";

type Project = Shape<"ProjectView">;

/** What comes next for a project, in one word; "broken" where it cannot be read. */
export function stageOf(project: Project): Shape<"Standing">["stage"] | "broken" {
  return project.standing?.stage ?? "broken";
}

/** The screen on which it goes on. */
export function addressOf(project: Project): string {
  const at = `/projects/${encodeURIComponent(project.id)}`;
  switch (stageOf(project)) {
    case "captions":
      return `${at}/captions`;
    case "train":
      return `${at}/train`;
    case "running":
      return `/runs/${encodeURIComponent(`${project.id}~${project.standing?.running}`)}`;
    case "prove":
    case "proven":
      return `${at}/proof`;
    default:
      return `${at}/images`;
  }
}
