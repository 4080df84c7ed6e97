import type { Shape } from "../../api/client";

/** What each part of a run's screen is given. */
export interface PartProps {
  run: Shape<"RunFacts">;
  curve: Shape<"CurveView"> | undefined;
}
