/** Settings as a tree, and what a person changed of it: the difference from the recipe, by dotted names such as `network.rank`. */

import type { Json } from "../../components/fields/json";

export type { Json };
export type Tree = { [name: string]: Json };

/** Dotted name -> value; null takes the setting out. */
export type Changes = Record<string, Json>;

/** Settings whose value is edited as a whole, though it has parts. */
const WHOLE: ReadonlySet<string> = new Set(["optimizer.args", "network.layers"]);

/** The value at a dotted name; undefined where there is none. A number among the names counts folders: `datasets.0.repeats`. */
export function valueAt(tree: Json | undefined, name: string): Json | undefined {
  let found: Json | undefined = tree;
  for (const part of name.split(".")) {
    if (Array.isArray(found)) found = found[Number(part)];
    else if (isTree(found)) found = found[part];
    else return undefined;
  }
  return found;
}

/** The tree with another value at a dotted name; null takes it out. */
export function withValue(tree: Tree, name: string, value: Json): Tree {
  return put(tree, name.split("."), value) as Tree;
}

function put(place: Json | undefined, [part, ...rest]: string[], value: Json): Json {
  if (part === undefined) return value;
  if (/^\d+$/.test(part)) {
    const list = Array.isArray(place) ? [...place] : [];
    list[Number(part)] = put(list[Number(part)], rest, value);
    return list;
  }
  const { [part]: inner, ...others } = isTree(place) ? place : {};
  if (rest.length === 0 && value === null) return others;
  return { ...(isTree(place) ? place : {}), [part]: put(inner, rest, value) };
}

/** The tree with all changes; a folder of which nothing is left is gone. */
export function withChanges(tree: Tree, changes: Changes): Tree {
  const changed = Object.entries(changes).reduce((before, [name, value]) => withValue(before, name, value), tree);
  if (!Array.isArray(changed.datasets)) return changed;
  return { ...changed, datasets: changed.datasets.filter((folder) => isTree(folder) && Object.keys(folder).length > 0) };
}

/** Every setting by its dotted name. */
export function leavesOf(tree: Json, before = ""): Record<string, Json> {
  const parts = partsOf(tree, before);
  if (parts === undefined) return { [before]: tree };
  return Object.assign({}, ...parts.map(([name, value]) => leavesOf(value, before ? `${before}.${name}` : name)));
}

function partsOf(tree: Json, name: string): [string, Json][] | undefined {
  if (WHOLE.has(name)) return undefined;
  if (Array.isArray(tree)) return tree.length > 0 && tree.every(isTree) ? tree.map((each, at) => [String(at), each]) : undefined;
  return isTree(tree) ? Object.entries(tree) : undefined;
}

/** What makes `wanted` of `tree`. */
export function differences(tree: Tree, wanted: Tree): Changes {
  const [before, after] = [leavesOf(tree), leavesOf(wanted)];
  const changed = Object.entries(after).filter(([name, value]) => !same(before[name], value));
  const gone = Object.keys(before).filter((name) => !(name in after));
  return Object.fromEntries([...changed, ...gone.map((name): [string, Json] => [name, null])]);
}

/** The changes with one more; one that is what the recipe has is none. */
export function changedBy(changes: Changes, name: string, value: Json, recipe: Tree): Changes {
  const { [name]: _, ...others } = changes;
  return same(valueAt(recipe, name) ?? null, value) ? others : { ...others, [name]: value };
}

/** The places that a name means: `datasets.repeats` is that of every folder that is trained on for itself. */
export function placesOf(name: string, tree: Tree): string[] {
  const [section, part, ...rest] = name.split(".");
  if (section !== "datasets" || part === undefined || /^\d+$/.test(part) || !Array.isArray(tree.datasets)) return [name];
  return tree.datasets.flatMap((folder, at) => (isTree(folder) && !folder.is_reg ? [["datasets", at, part, ...rest].join(".")] : []));
}

/** `datasets.0.repeats` as a recipe calls it: `datasets.repeats`. */
export function nameOf(place: string): string {
  return place.replace(/^datasets\.\d+\./, "datasets.");
}

export function same(one: Json | undefined, other: Json | undefined): boolean {
  if (isTree(one) && isTree(other)) {
    const names = Object.keys(one);
    return names.length === Object.keys(other).length && names.every((name) => same(one[name], other[name]));
  }
  return JSON.stringify(one) === JSON.stringify(other);
}

function isTree(value: Json | undefined): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
