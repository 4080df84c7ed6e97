import { useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { api, ask } from "../api/client";
import { keyOf, useGet } from "../api/queries";

/** What the page wants to find again in every browser, kept by the studio: language, level, last base, tile size. */
export interface Preferences {
  language?: "en" | "ja";
  scheme?: "light" | "dark" | "auto";
  level?: "simple" | "expert";
  base?: string;
  tile?: number;
  inspector?: boolean;
  side_list?: boolean;
  [name: string]: unknown;
}

/** The preferences, and a function that changes some of them. */
export function usePreferences(): [Preferences, (change: Preferences) => void] {
  const client = useQueryClient();
  const { data } = useGet("/api/preferences", undefined, { staleTime: Number.POSITIVE_INFINITY });
  const change = useCallback(
    (changed: Preferences) => {
      const key = keyOf("/api/preferences");
      client.setQueryData(key, { ...client.getQueryData<Preferences>(key), ...changed });
      ask(api.PATCH("/api/preferences", { body: changed as never })).catch(() => undefined); // it holds in this page all the same
    },
    [client],
  );
  return [(data ?? {}) as Preferences, change];
}
