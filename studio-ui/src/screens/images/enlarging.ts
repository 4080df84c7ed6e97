import type { Mending } from "./usePictureChanges";

const ENLARGES = "upscale";

/** Whether pictures are to be made larger. */
export function enlarges({ changes }: Mending): boolean {
  return changes.some(({ way }) => way === ENLARGES);
}

/** What is done at once, and what a network does, which takes jobs: those that enlarge, where a network does. */
export function divideByJob(mendings: readonly Mending[], network: string): [now: readonly Mending[], byJob: readonly Mending[]] {
  if (network === "") return [mendings, []];
  const byJob = mendings.filter(enlarges).map(({ pictures, changes }) => ({
    pictures,
    changes: changes.map((change) => (change.way === ENLARGES ? { ...change, parameters: { ...change.parameters, network } } : change)),
  }));
  return [mendings.filter((one) => !enlarges(one)), byJob];
}
