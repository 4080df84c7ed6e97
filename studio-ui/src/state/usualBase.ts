import type { Shape } from "../api/client";
import { useGet } from "../api/queries";
import { usePreferences } from "./preferences";

/** The base that serves until one is chosen: the project's own, the one that was used last, or else the first that there is; "" until that is known. */
export function useUsualBase(project: Shape<"ProjectView"> | undefined): string {
  const { data: known } = useGet("/api/bases");
  const [preferences] = usePreferences();
  if (project === undefined || known === undefined) return project?.base ?? "";
  return project.base ?? (known.find(({ source }) => source === preferences.base) ?? known[0])?.source ?? "";
}
