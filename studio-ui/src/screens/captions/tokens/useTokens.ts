import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { api, ask } from "../../../api/client";
import type { Problem } from "../../../api/problem";
import { useGet } from "../../../api/queries";
import type { Tokens } from "./tokens";

const TOKENS = "/api/projects/{project}/captions:tokens";
const STILL_FOR = 300; // milliseconds without a letter before tokens are counted

/** How much of a caption the project's base reads, counted again when the typing stops. Empty while the project has no base. */
export function useTokens(project: string, text: string) {
  const { data } = useGet("/api/projects/{project}", { path: { project } });
  const [still] = useDebouncedValue(text, STILL_FOR);
  return useQuery<Tokens, Problem>({
    queryKey: [TOKENS, project, data?.base, still],
    queryFn: ({ signal }) => ask(api.POST(TOKENS, { params: { path: { project } }, body: { text: still }, signal })),
    enabled: Boolean(data?.base) && still.trim() !== "",
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: keepPreviousData,
  });
}
