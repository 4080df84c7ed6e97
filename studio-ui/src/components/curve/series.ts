/** Numbers over steps, as the API sends them, made ready to be drawn. */

export interface Points {
  steps: number[];
  values: (number | null)[];
}

/** What the x axis counts. */
export type X = "steps" | "epochs" | "images";

/** How many of an x lie in one step. */
export function perStep(x: X, run: { steps: number | null; epochs: number | null; imagesAStep: number }): number {
  if (x === "images") return run.imagesAStep;
  if (x === "epochs") return run.steps && run.epochs ? run.epochs / run.steps : 1;
  return 1;
}

/**
 * An exponential moving average with the weight of earlier values, from 0 (none) towards 1, as TensorBoard's slider has it: corrected for
 * its empty beginning, so that the first value is the first value. Gaps stay gaps.
 */
export function smoothed(values: (number | null)[], weight: number): (number | null)[] {
  if (weight <= 0) return values;
  let mean = 0;
  let filled = 0;
  return values.map((value) => {
    if (value === null) return null;
    mean = weight * mean + (1 - weight) * value;
    filled = weight * filled + (1 - weight);
    return mean / filled;
  });
}

/** Points with those that came later: from the first later step on, the later ones hold. */
export function continued(points: Points | undefined, later: Points): Points {
  const first = later.steps[0];
  if (points === undefined || first === undefined) return points ?? later;
  const end = points.steps.findIndex((step) => step >= first);
  const kept = end < 0 ? points.steps.length : end;
  return { steps: [...points.steps.slice(0, kept), ...later.steps], values: [...points.values.slice(0, kept), ...later.values] };
}

/** At most about `most` points which keep the lowest and the highest of each stretch. */
export function thinned(points: Points, most: number): Points {
  const count = points.steps.length;
  if (count <= most) return points;
  const stretches = Math.max(1, Math.floor(most / 2));
  const kept: number[] = [];
  for (let stretch = 0; stretch < stretches; stretch++) {
    const begin = Math.floor((stretch * count) / stretches);
    const end = Math.floor(((stretch + 1) * count) / stretches);
    let [low, high] = [begin, begin];
    for (let at = begin; at < end; at++) {
      const value = points.values[at] ?? Number.NaN;
      if (value < (points.values[low] ?? Number.POSITIVE_INFINITY)) low = at;
      if (value > (points.values[high] ?? Number.NEGATIVE_INFINITY)) high = at;
    }
    kept.push(Math.min(low, high));
    if (low !== high) kept.push(Math.max(low, high));
  }
  return { steps: kept.map((at) => points.steps[at] as number), values: kept.map((at) => points.values[at] as number | null) };
}
