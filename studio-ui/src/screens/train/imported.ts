import { type Changes, differences, type Tree } from "./tree";

/** What is the project's own, whatever the file says. */
const OURS: ReadonlySet<string> = new Set(["name", "cache", "base.path"]);

/** What is the project's own where the file has nothing in its place. */
const OURS_AT_LEAST: ReadonlySet<string> = new Set(["captions.trigger", "samples.prompts"]);

/** What imported settings change of the recipe: base, pictures and name stay the project's, and so do its trigger and prompts where there are no others. */
export function changesOf(recipe: Tree, imported: Tree): Changes {
  return Object.fromEntries(
    Object.entries(differences(recipe, imported)).filter(([name, value]) => {
      const nothing = value === null || (Array.isArray(value) && value.length === 0);
      const ofFolder = name.startsWith("datasets.");
      return !(OURS.has(name) || (nothing && (OURS_AT_LEAST.has(name) || ofFolder)) || (ofFolder && name.endsWith(".path")));
    }),
  );
}
