import { CircleX, Info, TriangleAlert } from "lucide-react";
import type { Severity } from "./severity";

const ICONS = { error: CircleX, warning: TriangleAlert, note: Info };
const COLOURS = { error: "var(--bad)", warning: "var(--warn)", note: "var(--soft)" };

/** The sign of a severity; its words stand beside it. */
export function SeverityIcon({ severity, size = 16 }: { severity: Severity; size?: number }) {
  const Icon = ICONS[severity];
  return <Icon size={size} color={COLOURS[severity]} style={{ flex: "none" }} aria-hidden />;
}
