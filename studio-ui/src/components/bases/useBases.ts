import { useQueries } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { keyOf, useGet } from "../../api/queries";

/** A base to choose, with what its files say where they are on this machine. */
export interface KnownBase {
  source: string;
  name: string;
  title: string;
}

/** The bases that there are to choose from. */
export function useBases(): KnownBase[] {
  const { data: known = [] } = useGet("/api/bases");
  const described = useQueries({
    queries: known.map(({ source }) => ({
      queryKey: keyOf("/api/bases:describe", { query: { source } }),
      queryFn: () => ask(api.GET("/api/bases:describe", { params: { query: { source } } })),
      retry: false, // one that is not on this machine may be chosen all the same: it is downloaded
    })),
  });
  return known.map(({ source, name }, at) => ({ source, name, title: described[at]?.data?.title ?? "" }));
}
