import type { QueryClient } from "@tanstack/react-query";
import { type Asked, pictureList } from "../components/gallery/pictureList";

const OF_PICTURES = /^\/projects\/([^/]+)\/(images|captions)$/;

/** The pictures that an address shows are asked for at once, while the code of its screen is still being loaded. */
export function askAhead(client: QueryClient, { pathname, search }: Location): void {
  const [, project, screen] = pathname.match(OF_PICTURES) ?? [];
  if (project === undefined) return;
  const { q, concept, finding, sort, resolution } = Object.fromEntries(new URLSearchParams(search));
  const asked: Asked =
    screen === "captions" ? { q } : { q, concept, finding, sort: sort as Asked["sort"], resolution: Number(resolution) || undefined };
  client.prefetchQuery(pictureList(client, decodeURIComponent(project), asked));
}
