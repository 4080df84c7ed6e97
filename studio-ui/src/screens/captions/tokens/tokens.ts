import type { Shape } from "../../../api/client";
import { tagsOf } from "../tags";

export type Tokens = Shape<"TokensView">;

/** A part of a caption that an encoder reads at once. */
export interface Chunk {
  /** How full it is, from 0 to 1. */
  full: number;
  /** Whether the base reads it unless it is set to read more. */
  read: boolean;
}

/** As many chunks as the caption takes, at least one. */
export function chunksOf({ tokens, chunk, limits }: Tokens): Chunk[] {
  const usual = limits[0]?.tokens ?? 0;
  const size = chunk ?? usual;
  return Array.from({ length: Math.max(1, Math.ceil(tokens / size)) }, (_, at) => ({
    full: Math.min(1, (tokens - at * size) / size),
    read: (at + 1) * size <= usual,
  }));
}

/** How many of the last tags are not read, or not as a whole. */
export function unreadTags({ limits }: Tokens): number {
  return tagsOf(limits[0]?.unread ?? "").length;
}

/** The smallest limit that reads the whole caption; undefined where the usual one does, or none. */
export function enough({ limits }: Tokens): number | undefined {
  const [usual, ...longer] = limits;
  return usual?.unread ? longer.find(({ unread }) => unread === "")?.tokens : undefined;
}
