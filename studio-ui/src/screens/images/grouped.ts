import type { Shape } from "../../api/client";
import { SEVERITIES, type Severity } from "../../components/severity";

/** One row for each code: how severe, which pictures; the finding itself where it is about the set. */
export function grouped(findings: readonly Shape<"FindingView">[]) {
  const rows = new Map<string, { code: string; severity: Severity; pictures: Set<string>; ofSet?: Shape<"FindingView"> }>();
  for (const finding of findings) {
    const row = rows.get(finding.code) ?? { code: finding.code, severity: finding.severity, pictures: new Set() };
    for (const subject of finding.subjects) row.pictures.add(subject);
    if (finding.about === "set") row.ofSet = finding;
    rows.set(finding.code, row);
  }
  const rank = ({ severity }: { severity: Severity }) => SEVERITIES.indexOf(severity);
  return [...rows.values()].sort((one, other) => rank(one) - rank(other) || other.pictures.size - one.pictures.size);
}
