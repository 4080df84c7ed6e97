/** The axes of a grid, with what is typed for each. */

export interface Axis {
  /** The name of what changes along it; "" for no axis. */
  of: string;
  values: string;
}

/** What can change from cell to cell, with an example of its values. */
export const AXES: Record<string, string> = {
  weight: "0.5..1.0:0.1",
  seed: "1..4",
  sampler: "euler_a, dpmpp_2m_karras",
  steps: "12, 20, 30",
  cfg_scale: "3..7:2",
  prompt_sr: "red hat, blue hat, no hat",
  clip_skip: "1, 2",
  size: "512x768, 768x512",
  base: "", // those that there are are listed
};

/** An axis as a grid job takes it: `seed=1..4`; null where there is none. */
export function axisOf({ of, values }: Axis): string | null {
  return of && values.trim() ? `${of}=${values.trim()}` : null;
}
