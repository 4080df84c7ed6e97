import type { Shape } from "../api/client";
import type { Json } from "./fields/json";

/** The changes of settings that a finding proposes, setting by setting; undefined where mending it takes something else. */
export function settingChangesOf(finding: Shape<"FindingView">): Record<string, Json> | undefined {
  const changes = (finding.fix?.changes ?? []) as { kind?: string; setting?: string; value?: Json }[];
  if (changes.length === 0 || changes.some((change) => change.kind !== "setting")) return undefined;
  return Object.fromEntries(changes.map((change) => [change.setting, change.value ?? null]));
}
