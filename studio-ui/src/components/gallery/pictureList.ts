import { keepPreviousData, type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, ask, type Shape } from "../../api/client";
import type { Problem } from "../../api/problem";
import { keyOf } from "../../api/queries";
import { useWatch } from "../../events/news";

/** Which pictures of a project, and in which order. */
export interface Asked {
  q?: string;
  concept?: string;
  finding?: string;
  sort?: "name" | "newest" | "largest" | "findings";
  /** The side of the training's square that findings are for, in pixels; by default the base's. */
  resolution?: number;
}

/** Pictures whose details come in one answer. */
export const PAGE = 200;

export const LIST = "/api/projects/{project}/pictures";
export const DETAILS = "/api/projects/{project}/pictures/page";

/** The list with the ids of all, as a query: its answer brings the first page of details along. */
export function pictureList(client: QueryClient, project: string, asked: Asked = {}) {
  const params = { path: { project }, query: { ...asking(asked), count: PAGE } };
  return {
    queryKey: keyOf(LIST, params),
    queryFn: async ({ signal }: { signal: AbortSignal }): Promise<Shape<"PictureIds">> => {
      const found = await ask(api.GET(LIST, { params, signal }));
      const page: Shape<"PicturePage"> = { version: found.version, total: found.ids.length, items: found.items };
      client.setQueryData(keyOf(DETAILS, pageOf(project, asked, found.version, 0)), page);
      return found;
    },
  };
}

/** A page of details, as parameters. */
export function pageOf(project: string, asked: Asked, version: string, start: number) {
  return { path: { project }, query: { ...asking(asked), start, count: PAGE, version } };
}

/** What is shown of a project's pictures; while others are fetched, those from before stay. */
export function usePictureList(project: string, asked?: Asked) {
  const client = useQueryClient();
  return useQuery<Shape<"PictureIds">, Problem>({ ...pictureList(client, project, asked), placeholderData: keepPreviousData });
}

/** Hear of everything that changes in a project's pictures after the version that is shown. */
export function useWatchOfPictures(project: string, version: string | undefined): void {
  useWatch(version ? [`dataset:${project}@${version}`] : []);
}

/** Without what asks for nothing, so that the same pictures are asked for in the same words. */
function asking({ sort, ...conditions }: Asked): Asked {
  const set = Object.entries(conditions).filter(([, value]) => value);
  return { ...Object.fromEntries(set), ...(sort && sort !== "name" && { sort }) };
}
