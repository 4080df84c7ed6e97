import { useQueryClient } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import { lookAgain, useGet } from "../api/queries";
import { say, sayProblem } from "../components/say";
import i18next from "../words";

/** One undo for everything that is done to a project: captions, mends and layout, the newest first. */
export interface Undo {
  /** What would be undone or redone, in words; absent where there is nothing. */
  undoes?: string;
  redoes?: string;
  undo?: () => void;
  redo?: () => void;
}

export function useUndo(project: string): Undo {
  const client = useQueryClient();
  const params = { path: { project } };
  const { data } = useGet("/api/projects/{project}/history", params, { enabled: project !== "" });
  if (!data) return {};
  const undoes = data.find((operation) => operation.undo)?.summary;
  const redoes = data.find((operation) => operation.redo)?.summary;

  async function change(way: "undo" | "redo") {
    try {
      const done = await ask(api.POST(`/api/projects/{project}/history:${way}`, { params }));
      say(i18next.t(`frame:${way}ne`, { words: done.summary }));
      await client.invalidateQueries();
    } catch (error) {
      sayProblem(error);
      await lookAgain(client, "/api/projects/{project}/history");
    }
  }

  return {
    undoes,
    redoes,
    undo: undoes === undefined ? undefined : () => change("undo"),
    redo: redoes === undefined ? undefined : () => change("redo"),
  };
}
