import type { Shape } from "../../api/client";

/** Whether an error ended a run, and not a person who stopped it. */
export function hasFailed({ state, code }: Pick<Shape<"RunView">, "state" | "code">): boolean {
  return state === "stopped" && code !== "" && code !== "stopped";
}
