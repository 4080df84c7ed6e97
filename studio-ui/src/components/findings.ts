import { CircleAlert, Info, type LucideIcon, TriangleAlert } from "lucide-react";
import type { Shape } from "../api/client";

/** The icon of each severity of a finding. */
export const SEVERITY_ICONS: Record<Shape<"FindingView">["severity"], LucideIcon> = {
  error: CircleAlert,
  warning: TriangleAlert,
  note: Info,
};
