import type { Shape } from "../api/client";

/** One thing to do to a picture, as findings propose it and the studio takes it. */
export type MendChange = Shape<"Way">;

/** The mends that a finding proposes; none where it proposes something else. */
export function changesOf(finding: Shape<"FindingView">): MendChange[] {
  return (finding.fix?.changes ?? [])
    .filter((change) => change.kind === "mend")
    .map(({ way, parameters }) => ({ way: String(way), parameters: parameters as MendChange["parameters"] }));
}
