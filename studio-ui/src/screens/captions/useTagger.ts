import { type QueryClient, useQuery } from "@tanstack/react-query";
import { api, ask, type Shape } from "../../api/client";

export type TaggersTag = Shape<"Tag">;

const PREVIEW = "/api/projects/{project}/labels:preview";

/** What the last tagger said of a picture: the tags that it would choose, then those that it nearly chose; null where none has seen it. */
export function useTagger(project: string, picture: string): TaggersTag[] | null {
  const { data } = useQuery({
    queryKey: [PREVIEW, project, picture],
    queryFn: () => preview(project, [picture]),
    staleTime: Number.POSITIVE_INFINITY,
  });
  return data ? [...data.chosen, ...data.nearly_chosen] : null;
}

/** The first of these pictures, or of all, of which a tagger has said something; null where none has. */
async function preview(project: string, pictures: string[]): Promise<Shape<"LabelPreview"> | null> {
  const body = { pictures, count: 1 } as unknown as Shape<"LabelPreviewRequest">; // the rest is the tagger's own
  return (await ask(api.POST(PREVIEW, { params: { path: { project } }, body }))).shown[0] ?? null;
}

/** Ask again what taggers said. */
export function taggerWasRun(client: QueryClient): void {
  client.invalidateQueries({ queryKey: [PREVIEW] });
}
