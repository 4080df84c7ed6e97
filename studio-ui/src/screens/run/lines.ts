import type { Shape } from "../../api/client";
import type { Line } from "../../components/curve/Curve";
import { type Points, smoothed } from "../../components/curve/series";

type Series = Shape<"CurveView">["series"];

/** Which lines belong together on one curve, made from a run's numbers. Their names are those that the API gives them. */

/** The loss of each step, faint, and smoothed; the mean of each epoch. */
export function lossLines(series: Series, smoothing: number, word: (name: string) => string): Line[] {
  const raw = series["loss/step"];
  if (!raw) return [];
  const lines: Line[] = [
    { label: word("raw"), colour: 1, faint: true, points: raw },
    { label: word("smoothed"), colour: 1, points: { steps: raw.steps, values: smoothed(raw.values, smoothing) } },
  ];
  const epochs = series["loss/epoch"];
  return epochs ? [...lines, { label: word("by_epoch"), colour: 4, dashed: true, points: epochs }] : lines;
}

/** Held-out and trained pictures: how much their loss has changed since the base, with margins. */
export function heldOutLines(series: Series, word: (name: string) => string): Line[] {
  return [
    marginLine(series, "validation/val_loss_delta", word("held_out"), 2),
    marginLine(series, "validation/train_loss_delta", word("trained"), 3),
  ].filter((line) => line !== undefined);
}

/** The learning rates. */
export function rateLines(series: Series): Line[] {
  return named(series, "lr/").map(([name, points], index) => ({ label: name, colour: (index % 6) + 1, points }));
}

/** The loss by band of timesteps, a curve each; and the held-out change by band, with margins. */
export function bands(series: Series, smoothing: number): [string, Line[]][] {
  const timesteps = named(series, "timesteps/").map(([name, points]): [string, Line[]] => [
    name,
    [{ label: name, colour: 1, points: { steps: points.steps, values: smoothed(points.values, smoothing) } }],
  ]);
  return timesteps.sort(([one], [other]) => Number.parseInt(one, 10) - Number.parseInt(other, 10));
}

/** Everything else that the run reports: gradient norms, speed, memory. */
export function otherCurves(series: Series): [string, Line[]][] {
  return ["norm/", "speed/", "memory/"].flatMap((group) =>
    named(series, group).map(([name, points]): [string, Line[]] => [name, [{ label: name, colour: 5, points }]]),
  );
}

function marginLine(series: Series, name: string, label: string, colour: number): Line | undefined {
  const points = series[name];
  return points && { label, colour, points, low: series[`${name}_low`], high: series[`${name}_high`] };
}

function named(series: Series, beginning: string): [string, Points][] {
  return Object.entries(series)
    .filter(([name]) => name.startsWith(beginning))
    .map(([name, points]) => [name.slice(beginning.length), points]);
}
