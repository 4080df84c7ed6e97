import type { Shape } from "../../api/client";
import { changesOf } from "../../components/changes";

/** The pictures that a finding of one picture mends: copies are chosen among all that are alike, any other mend is of this one alone. */
export function subjectsOf(finding: Shape<"FindingView">, picture: string): string[] {
  return changesOf(finding).some(({ way }) => way === "duplicates") ? finding.subjects : [picture];
}
