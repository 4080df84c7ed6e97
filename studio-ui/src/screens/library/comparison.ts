/** What a comparison of LoRAs found, as its job's outcome has it. */

export interface Comparison {
  settings: { name: string; values: string[] }[];
  blocks: { part: string; block: string; norms: (number | null)[] }[];
  norms: number[];
  /** Of each pair: 1 is the same change, 0 has nothing to do with it. */
  cosines: (number | null)[][];
  notes: string[];
}

interface Outcome extends Omit<Comparison, "settings"> {
  settings: { setting: string; values: unknown[] }[];
}

export function comparisonOf(outcome: Record<string, unknown>): Comparison {
  const { settings, blocks, norms, cosines, notes } = outcome as unknown as Outcome;
  return {
    settings: settings.map((each) => ({ name: each.setting, values: each.values.map(written) })),
    blocks,
    norms,
    cosines,
    notes,
  };
}

function written(value: unknown): string {
  if (value === null || value === undefined || value === "") return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
