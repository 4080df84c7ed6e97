import { type QueryClient, useQuery } from "@tanstack/react-query";
import { api, ask, type Shape } from "../../api/client";
import { Problem } from "../../api/problem";

export type TaggersTag = Shape<"Tag">;

const PREVIEW = "/api/projects/{project}/labels:preview";

/** What the last tagger said of a picture: the tags that it would choose, then those that it nearly chose; null where none has seen it. */
export function useTagger(project: string, picture: string): TaggersTag[] | null {
  const { data } = useQuery({
    queryKey: [PREVIEW, project, picture],
    queryFn: async () => {
      const body = { pictures: [picture], count: 1 } as Shape<"LabelPreviewRequest">; // the rest is the tagger's own
      try {
        const [shown] = (await ask(api.POST(PREVIEW, { params: { path: { project } }, body }))).shown;
        return shown ? [...shown.chosen, ...shown.nearly_chosen] : null;
      } catch (error) {
        if (error instanceof Problem && error.status === 400) return null; // no tagger was run yet
        throw error;
      }
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
  return data ?? null;
}

/** Ask again what taggers said. */
export function taggerWasRun(client: QueryClient): void {
  client.invalidateQueries({ queryKey: [PREVIEW] });
}
