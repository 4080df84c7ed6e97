/** The filter language, as far as a click on a tag writes it: `tag:hat AND NOT tag:"red scarf"`. */

import { conditionOf, quoted } from "../../components/filter/condition";

/** Whether a filter asks for a tag, or for captions without it. */
export type Standing = "with" | "without" | undefined;

/** What a filter asks of a tag, where it does so by a condition of its own. */
export function standingOf(filter: string, tag: string): Standing {
  const conditions = conditionsOf(filter);
  const wanted = conditionOf(tag);
  if (conditions.includes(wanted)) return "with";
  return conditions.includes(`NOT ${wanted}`) ? "without" : undefined;
}

/** The filter after a click on a tag: it asks for the tag, or for captions without it; the same click again takes that back. */
export function toggled(filter: string, tag: string, way: "with" | "without"): string {
  const own = conditionOf(tag);
  const others = conditionsOf(filter).filter((condition) => condition !== own && condition !== `NOT ${own}`);
  const asked = standingOf(filter, tag) === way ? [] : [way === "with" ? own : `NOT ${own}`];
  return [...others, ...asked].join(" AND ");
}

/** The conditions that a filter joins by AND; one that has an OR of its own is one condition in brackets. */
function conditionsOf(filter: string): string[] {
  const words = wordsOf(filter);
  if (words.length === 0) return [];
  let depth = 0;
  let either = false;
  const conditions: string[][] = [[]];
  for (const word of words) {
    if (word === "(") depth += 1;
    if (word === ")") depth -= 1;
    if (depth === 0 && word === "OR") either = true;
    if (depth === 0 && word === "AND") conditions.push([]);
    else conditions.at(-1)?.push(word);
  }
  if (either) return [`(${filter.trim()})`];
  return conditions.map((condition) => condition.join(" ").replaceAll("( ", "(").replaceAll(" )", ")"));
}

/** Brackets and words; what is between quotes is in one word, and so is a bracket that a word has opened itself. */
function wordsOf(filter: string): string[] {
  const found = filter.match(/[()]|(?:[a-z]+:)?"(?:\\"|[^"])*"|(?:[a-z]+:)?'(?:\\'|[^'])*'|[^\s()]+(?:\([^\s()]*\)[^\s()]*)*/gi);
  return found ? [...found] : [];
}

/** The filter that finds these captions' pictures, as far as one by their names can. */
export function filterOf(captions: readonly string[]): string {
  return captions.map((caption) => `path:${quoted(caption.replace(/\.[^./]*$/, "."))}`).join(" OR ");
}
