import { QueryClient } from "@tanstack/react-query";
import { Problem } from "./problem";

/** What the studio has said is kept until an event tells of a change; a call that cannot be answered is not tried in vain. */
export function makeClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 30_000,
        refetchOnWindowFocus: false,
        retry: (failures, error) => failures < 3 && error instanceof Problem && (error.status === 0 || error.status >= 502),
      },
    },
  });
}
