import { conditionOf } from "./condition";

/** What a word of a filter can become while it is typed. */

export interface Completion {
  /** What takes the word's place. */
  becomes: string;
  /** What it is, if it is no tag: a field, a comparison, or what joins conditions. */
  kind: "tag" | "field" | "comparison" | "word";
  /** Captions that have the tag. */
  count?: number;
}

export interface Tag {
  tag: string;
  count: number;
}

/** The fields that a condition begins with; those of numbers are compared. */
const FIELDS = ["tag:", "caption:", "name:", "path:", "tags:", "chars:"];
const COMPARED = /^(tags|chars):$/i;
const COMPARISONS = [">", "<", "="];
const JOINING = ["AND", "OR", "NOT"];
const MOST = 8;

/** Where the word before the caret begins: behind a space or a bracket, unless that is between quotes. */
export function wordStart(text: string, caret: number): number {
  const [, word = ""] = text.slice(0, caret).match(/(?:^|[\s(])((?:[a-z]+:)?(?:"[^"]*|[^\s()"]*))$/i) ?? [];
  return caret - word.length;
}

/** What the word can become: fields and tags that begin with it, then tags that have it inside. */
export function completionsOf(word: string, behind: string, tags: readonly Tag[]): Completion[] {
  if (COMPARED.test(word)) return COMPARISONS.map((sign) => ({ becomes: word + sign, kind: "comparison" }));
  const asked = word.match(/^tag:"?(.*)$/i)?.[1];
  if (asked !== undefined) return matching(tags, asked).slice(0, MOST);
  if (word.includes(":") || word.startsWith('"')) return [];
  const fields: Completion[] = beginning(FIELDS, word).map((becomes) => ({ becomes, kind: "field" }));
  const joins: Completion[] = beginning(JOINING, word).map((becomes) => ({ becomes: `${becomes} `, kind: "word" }));
  const after = /(^|[\s(])(AND|OR|NOT)\s*$|^\s*$/.test(behind);
  const found = word === "" ? [] : matching(tags, word);
  return [...(after ? [...fields, ...joins.slice(-1)] : [...joins, ...fields]), ...found].slice(0, MOST);
}

function beginning(words: readonly string[], word: string): string[] {
  return words.filter((one) => one.toLowerCase().startsWith(word.toLowerCase()));
}

function matching(tags: readonly Tag[], part: string): Completion[] {
  const wanted = bare(part);
  const begin = tags.filter(({ tag }) => bare(tag).startsWith(wanted));
  const inside = tags.filter(({ tag }) => bare(tag).indexOf(wanted) > 0);
  return [...begin, ...inside].slice(0, MOST).map(({ tag, count }) => ({ becomes: `${conditionOf(tag)} `, kind: "tag", count }));
}

/** Neither capitals nor underscores tell tags apart. */
function bare(tag: string): string {
  return tag.toLowerCase().replaceAll("_", " ");
}
