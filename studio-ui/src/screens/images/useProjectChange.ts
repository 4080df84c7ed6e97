import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useRef } from "react";
import { api, ask, type Shape } from "../../api/client";
import { keyOf, lookAgain } from "../../api/queries";
import { sayProblem } from "../../components/say";

const PROJECT = "/api/projects/{project}";

type Project = Shape<"ProjectView">;

/** Change what a project says of its audit. It is shown at once and sent in the order of the clicks; a refusal takes it back. */
export function useProjectChange(project: string): (change: (now: Project) => Partial<Shape<"ProjectChange">>) => void {
  const client = useQueryClient();
  const sent = useRef<Promise<unknown>>(Promise.resolve());
  return useCallback(
    (change) => {
      const params = { path: { project } };
      const now = client.getQueryData<Project>(keyOf(PROJECT, params));
      if (!now) return;
      const body = change(now);
      client.setQueryData(keyOf(PROJECT, params), { ...now, ...body });
      const mine = sent.current
        .then(() => ask(api.PATCH(PROJECT, { params, body })))
        .catch(sayProblem)
        .then(() => {
          if (sent.current !== mine) return; // a later click looks again
          lookAgain(client, PROJECT, `${PROJECT}/audit`, `${PROJECT}/pictures`, `${PROJECT}/pictures/{picture}`, `${PROJECT}/duplicates`);
        });
      sent.current = mine;
    },
    [client, project],
  );
}
