import { type Changes, type Json, nameOf } from "./tree";

/** Of one project alone: a recipe is for others, too. */
const OWN: ReadonlySet<string> = new Set(["name", "cache", "captions.trigger", "samples.prompts", "base.path", "datasets.path"]);

/** What was changed as a recipe file that begins with one of ours, such as `character/sdxl/standard`. */
export function recipeFile(beginsWith: string, changes: Changes): string {
  const lines = Object.entries(changes)
    .filter(([name, value]) => value !== null && !OWN.has(nameOf(name)))
    .map(([name, value]) => `${toml(nameOf(name))} = ${toml(value)}`);
  return `begin_with = ${toml(beginsWith)}\n\n[settings]\n${[...new Set(lines)].join("\n")}\n`;
}

function toml(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(toml).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([name, each]) => `${toml(name)} = ${toml(each)}`)
    .join(", ")} }`;
}
