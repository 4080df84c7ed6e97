import type { KnownBase } from "./useBases";

/** The sources of the bases that what is typed may mean, by their name, family or place; all of them once one is chosen, so that another may be. */
export function basesFor(typed: string, bases: readonly KnownBase[]): string[] {
  const wanted = typed.trim().toLowerCase();
  const chosen = bases.some(({ source }) => source === typed);
  const found = chosen ? bases : bases.filter((base) => Object.values(base).some((said: string) => said.toLowerCase().includes(wanted)));
  return found.map(({ source }) => source);
}
