import type { Shape } from "../../api/client";
import { changesOf, type MendChange } from "../../components/changes";

/** Mends that lose nothing that one would train on. */
const SAFE: readonly string[] = ["flatten", "bars", "convert"];

export interface Mending {
  pictures: string[];
  changes: MendChange[];
}

/** What can be mended without asking: pictures together whose findings propose the same safe changes. */
export function safeMends(findings: readonly Shape<"FindingView">[]): Mending[] {
  const byPicture = new Map<string, Map<string, MendChange>>();
  for (const finding of findings) {
    const changes = changesOf(finding);
    if (finding.about === "set" || changes.length === 0 || !changes.every((change) => SAFE.includes(change.way))) continue;
    for (const picture of finding.subjects) {
      const own = byPicture.get(picture) ?? new Map();
      for (const change of changes) own.set(change.way, change);
      byPicture.set(picture, own);
    }
  }
  const together = new Map<string, Mending>();
  for (const [picture, own] of byPicture) {
    const changes = [...own.values()];
    const key = JSON.stringify(changes);
    const mending = together.get(key) ?? { pictures: [], changes };
    mending.pictures.push(picture);
    together.set(key, mending);
  }
  return [...together.values()];
}

/** The pictures with an error or a warning. */
export function needALook(findings: readonly Shape<"FindingView">[]): Set<string> {
  return new Set(findings.filter(({ about, severity }) => about !== "set" && severity !== "note").flatMap(({ subjects }) => subjects));
}
