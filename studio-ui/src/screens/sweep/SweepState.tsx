import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import runs from "../runs/Runs.module.css";

/** A sweep's state in a word, with a dot. */
export function SweepState({ sweep }: { sweep: Shape<"SweepView"> }) {
  const { t } = useTranslation("sweeps");
  return (
    <span className={runs.state} data-state={sweep.state === "stopping" ? "stopped" : sweep.state}>
      {t(`state_${sweep.state}`)}
    </span>
  );
}
