import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { api, ask, type Shape } from "../../api/client";
import type { Problem } from "../../api/problem";
import type { Tree } from "./tree";

const AFTER_TYPING = 350; // milliseconds

/** Settings that would do nothing if they were changed: name -> why. While settings cannot be used, those of before. */
export function useIdle(settings: Tree): Record<string, string> | undefined {
  const [asked] = useDebouncedValue(settings, AFTER_TYPING);
  const { data } = useQuery<Shape<"SettingsCheck">, Problem>({
    queryKey: ["/api/settings:check", asked],
    queryFn: ({ signal }) => ask(api.POST("/api/settings:check", { body: { settings: asked }, signal })),
    placeholderData: (before) => before,
  });
  return data?.idle;
}
