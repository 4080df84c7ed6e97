import { type QueryClient, type UseQueryOptions, useQuery } from "@tanstack/react-query";
import type { FetchOptions } from "openapi-fetch";
import type { PathsWithMethod } from "openapi-typescript-helpers";
import { api, ask } from "./client";
import type { Problem } from "./problem";
import type { paths } from "./schema";

type Gets = PathsWithMethod<paths, "get">;
type Operation<Path extends Gets> = paths[Path]["get"];

/** What a GET of this path answers. */
export type Answer<Path extends Gets> =
  Operation<Path> extends { responses: { 200: { content: { "application/json": infer Found } } } } ? Found : never;

type Parameters<Path extends Gets> = FetchOptions<Operation<Path>> extends { params?: infer Params } ? Params : never;

/** The key under which an answer is kept: the resource's path, then its parameters. */
export function keyOf<Path extends Gets>(path: Path, params?: Parameters<Path>): readonly unknown[] {
  return params === undefined ? [path] : [path, params];
}

/** What the studio says of a resource, kept and fetched again when events tell of a change. */
export function useGet<Path extends Gets>(
  path: Path,
  params?: Parameters<Path>,
  options: Omit<UseQueryOptions<Answer<Path>, Problem>, "queryKey" | "queryFn"> = {},
) {
  return useQuery<Answer<Path>, Problem>({
    queryKey: keyOf(path, params),
    queryFn: ({ signal }) => ask(api.GET(path, { params, signal } as never) as never) as Promise<Answer<Path>>,
    ...options,
  });
}

/** Fetch again whatever is shown of these resources, with any parameters. */
export async function lookAgain(client: QueryClient, ...wanted: Gets[]): Promise<void> {
  await Promise.all(wanted.map((path) => client.invalidateQueries({ queryKey: [path] })));
}
