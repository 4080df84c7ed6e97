import type { Shape } from "../api/client";

export type Severity = Shape<"FindingView">["severity"];

/** The gravest first. */
export const SEVERITIES: readonly Severity[] = ["error", "warning", "note"];

/** What stands for each beside its words, so that no colour is needed to tell them apart. */
export const SIGNS: Record<Severity, string> = { error: "✕", warning: "▲", note: "●" };
