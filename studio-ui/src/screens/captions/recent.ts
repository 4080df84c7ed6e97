import { useDraft } from "../../state/draft";
import { keyOfTag } from "./tags";

const MOST = 9; // as many as there are keys

/** The tags that were added last in this tab, the newest first. */
export function useRecentTags(project: string): [string[], (used: readonly string[]) => void] {
  const [recent, setRecent] = useDraft<string[]>(`recent:${project}`, []);
  return [recent, (used) => setRecent((before) => newestFirst(before, used))];
}

/** The last ones with those that were just used in front, each once. */
export function newestFirst(before: readonly string[], used: readonly string[]): string[] {
  const keys = new Set(used.map(keyOfTag));
  return [...[...used].reverse(), ...before.filter((tag) => !keys.has(keyOfTag(tag)))].slice(0, MOST);
}
