import { CircleX, Info, TriangleAlert } from "lucide-react";
import type { Severity } from "./severity";

const ICONS = { error: CircleX, warning: TriangleAlert, note: Info };
const COLOURS = { error: "var(--bad)", warning: "var(--warn)", note: "var(--soft)" };

/** The sign of a severity; its word is said where it does not stand beside it. */
export function SeverityIcon({ severity, size = 16, label }: { severity: Severity; size?: number; label?: string }) {
  const Icon = ICONS[severity];
  return (
    <Icon
      size={size}
      color={COLOURS[severity]}
      style={{ flex: "none" }}
      aria-label={label}
      aria-hidden={label === undefined}
      role={label && "img"}
    />
  );
}
