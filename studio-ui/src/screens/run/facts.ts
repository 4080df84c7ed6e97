/** What a run's settings say about the run. */

type Tree = { [name: string]: unknown };

/** A value of a settings tree by its dotted name. */
export function settingOf(settings: Tree, dotted: string): unknown {
  return dotted.split(".").reduce<unknown>((tree, name) => (tree as Tree | undefined)?.[name], settings);
}

/** Images that one step sees, over all processes and accumulated gradients. */
export function imagesAStep(settings: Tree): number {
  const factors = ["training.batch_size", "training.gradient_accumulation_steps", "training.num_processes"];
  return factors.map((name) => Number(settingOf(settings, name)) || 1).reduce((product, factor) => product * factor, 1);
}

/** The tree as lines of dotted names and values; what is in a list of trees has its number, from 0: `datasets.0.path`. */
export function flat(settings: Tree, above = ""): [string, string][] {
  return Object.entries(settings).flatMap(([name, value]) =>
    isTree(value) ? flat(value, `${above}${name}.`) : [[above + name, written(value)]],
  );
}

function isTree(value: unknown): value is Tree {
  return Array.isArray(value) ? value.length > 0 && value.every(isTree) : value !== null && typeof value === "object";
}

/** A value as a person reads it: no quotes, no brackets; `–` for an empty list. */
function written(value: unknown): string {
  if (Array.isArray(value)) return value.map(written).join("\n") || "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
