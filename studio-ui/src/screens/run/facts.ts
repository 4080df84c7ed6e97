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

/** The tree as lines of dotted names and values. */
export function flat(settings: Tree, above = ""): [string, unknown][] {
  return Object.entries(settings).flatMap(([name, value]) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? flat(value as Tree, `${above}${name}.`)
      : [[above + name, value] as [string, unknown]],
  );
}
