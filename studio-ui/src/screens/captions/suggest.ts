import { keyOfTag } from "./tags";

export interface Suggestion {
  tag: string;
  /** Captions of the project that have it, or pictures of the site that a tag list is of. */
  count: number;
  /** The tag list that it is from; "" where the captions have it. */
  source: string;
  /** The alias that was typed, where the tag itself was not. */
  alias?: string | null;
}

/** Tags that what is typed can become: those that begin so first, then those with it inside a word; each once, none that the caption has. */
export function suggestionsFor(
  typed: string,
  own: readonly Suggestion[],
  further: readonly Suggestion[],
  there: readonly string[],
  most = 8,
) {
  const part = keyOfTag(typed.trim());
  if (!part) return [];
  const begins = own.filter((one) => keyOfTag(one.tag).startsWith(part));
  const inside = own.filter((one) => keyOfTag(one.tag).indexOf(part) > 0);
  const taken = new Set(there.map(keyOfTag));
  const ordered = [...begins, ...further.filter((one) => one.source), ...inside];
  return ordered.filter((one) => !taken.has(keyOfTag(one.tag)) && taken.add(keyOfTag(one.tag))).slice(0, most);
}
