import { api, ask, type Shape } from "../../../api/client";

/**
 * Give a project without a trigger its first one, as the first tag of every caption; returns how many captions changed. Where there are no
 * captions yet, none is made of the trigger alone: a tagger would take it for one that somebody wrote.
 */
export async function setTrigger(project: Shape<"ProjectView">, trigger: string): Promise<number> {
  const params = { path: { project: project.id } };
  if (!project.standing?.captioned) {
    await ask(api.PATCH("/api/projects/{project}", { params, body: { trigger } }));
    return 0;
  }
  const body = { edit: "set-triggers", arguments: { triggers: [trigger] }, trigger } as unknown as Shape<"EditRequest">;
  return (await ask(api.POST("/api/projects/{project}/edits", { params, body }))).changed;
}
