import { type QueryClient, useQuery } from "@tanstack/react-query";
import { api, ask, type Shape } from "../../api/client";
import { Problem } from "../../api/problem";

export type TaggersTag = Shape<"Tag">;

const PREVIEW = "/api/projects/{project}/labels:preview";

/** What the last tagger said of a picture: the tags that it would choose, then those that it nearly chose; null where none has seen it. */
export function useTagger(project: string, picture: string): TaggersTag[] | null {
  const { data: used } = useQuery({
    queryKey: [PREVIEW, project],
    queryFn: () => preview(project, []),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const { data } = useQuery({
    queryKey: [PREVIEW, project, picture],
    queryFn: () => preview(project, [picture]),
    staleTime: Number.POSITIVE_INFINITY,
    enabled: used != null, // no tagger was run yet: it need not be asked for each picture
  });
  return data ? [...data.chosen, ...data.nearly_chosen] : null;
}

/** The first of these pictures, or of all, of which a tagger has said something; null where none was run yet. */
async function preview(project: string, pictures: string[]): Promise<Shape<"LabelPreview"> | null> {
  const body = { pictures, count: 1 } as unknown as Shape<"LabelPreviewRequest">; // the rest is the tagger's own
  try {
    return (await ask(api.POST(PREVIEW, { params: { path: { project } }, body }))).shown[0] ?? null;
  } catch (error) {
    if (error instanceof Problem && error.code === "captions.no_probabilities") return null;
    throw error;
  }
}

/** Ask again what taggers said. */
export function taggerWasRun(client: QueryClient): void {
  client.invalidateQueries({ queryKey: [PREVIEW] });
}
