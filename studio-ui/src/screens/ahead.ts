import type { QueryClient } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import { keyOf } from "../api/queries";
import { type Asked, pictureList } from "../components/gallery/pictureList";
import { decoded } from "../state/address";
import { curveOf } from "./run/curveOf";

const OF_PICTURES = /^\/projects\/([^/]+)\/(images|captions)$/;
const OF_A_RUN = /^\/runs\/([^/]+)$/;

/** What an address shows is asked for at once, while the code of its screen is still being loaded. */
export function askAhead(client: QueryClient, { pathname, search }: Location): void {
  const [, project, screen] = pathname.match(OF_PICTURES) ?? [];
  const [, run] = pathname.match(OF_A_RUN) ?? [];
  if (project !== undefined) client.prefetchQuery(pictureList(client, decoded(project), askedBy(search, screen)));
  if (run !== undefined) askForRun(client, decoded(run)).catch(() => undefined); // the screen asks again, and says why not
}

function askedBy(search: string, screen?: string): Asked {
  const { q, concept, finding, sort, resolution } = Object.fromEntries(new URLSearchParams(search));
  if (screen === "captions") return { q };
  return { q, concept, finding, sort: sort as Asked["sort"], resolution: Number(resolution) || undefined };
}

/** One that has not begun is in no list yet, and nothing more is asked for. */
async function askForRun(client: QueryClient, run: string): Promise<void> {
  const runs = await client.fetchQuery({ queryKey: keyOf("/api/runs"), queryFn: () => ask(api.GET("/api/runs")) });
  if (!runs.some(({ id }) => id === run)) return;
  const params = { path: { run } };
  client.prefetchQuery({ queryKey: keyOf("/api/runs/{run}", params), queryFn: () => ask(api.GET("/api/runs/{run}", { params })) });
  client.prefetchQuery(curveOf(run));
}
