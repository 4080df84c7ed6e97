import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { api, ask, type Shape } from "../../api/client";
import type { Problem } from "../../api/problem";
import { lookAgain, useGet } from "../../api/queries";

export type Lora = Shape<"LoraView">;

export interface Found {
  loras: Lora[];
  /** What no file of the catalogue has, whatever else is asked for. */
  notes: string[];
}

export interface Wanted {
  q?: string;
  family?: string;
}

const AT_ONCE = 500;

/** All LoRAs of the catalogue that fit. */
export function useLoras(wanted: Wanted) {
  return useQuery<Found, Problem>({
    queryKey: ["/api/library", wanted],
    queryFn: async ({ signal }) => {
      const found: Found = { loras: [], notes: [] };
      let after: string | null = "";
      while (after !== null) {
        const query = { ...wanted, family: wanted.family || undefined, after, count: AT_ONCE };
        const page: Shape<"LoraPage"> = await ask(api.GET("/api/library", { params: { query }, signal }));
        found.loras.push(...page.items);
        found.notes = page.notes;
        after = page.next;
      }
      return found;
    },
    placeholderData: (before) => before,
  });
}

/** Looks through the library's folders: once when a page of it is opened, again when a job has ended, and when asked to. */
export function useFreshLibrary(): { refresh: () => void; looking: boolean; changes?: Shape<"Changes">; problem?: unknown } {
  const client = useQueryClient();
  const { data: jobs } = useGet("/api/jobs");
  const ended = jobs?.filter((job) => job.ended !== null).length;
  const [looking, setLooking] = useState(false);
  const [changes, setChanges] = useState<Shape<"Changes">>();
  const [problem, setProblem] = useState<unknown>();
  const refresh = useCallback(() => {
    setLooking(true);
    setProblem(undefined);
    ask(api.POST("/api/library:refresh"))
      .then(async (found) => {
        setChanges(found);
        if (found.new + found.changed + found.moved + found.gone > 0) await lookAgain(client, "/api/library");
      })
      .catch(setProblem)
      .finally(() => setLooking(false));
  }, [client]);
  useEffect(() => {
    if (ended !== undefined) refresh();
  }, [ended, refresh]);
  return { refresh, looking, changes, problem };
}
