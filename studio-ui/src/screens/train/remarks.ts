import type { Planned } from "./usePlan";

const IDLE = /\.(little_effect|no_effect|not_for_base)$/;

/** Settings that do nothing in this combination: a recipe's name of one -> why. `idle` are those that would do nothing if they were changed. */
export function notesOf({ plan, problem }: Planned, idle: Record<string, string> = {}): ReadonlyMap<string, string> {
  const notes = new Map(Object.entries(idle));
  for (const finding of plan?.findings ?? []) {
    if (IDLE.test(finding.code)) for (const subject of finding.subjects) notes.set(subject, finding.message);
  }
  if (problem?.told.place && IDLE.test(problem.code)) notes.set(problem.told.place, problem.message);
  return notes;
}
