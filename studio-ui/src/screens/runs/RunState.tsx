import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { percent } from "../../components/format";
import { hasFailed } from "./hasFailed";
import classes from "./Runs.module.css";

/** A run's state in a word, with a dot. */
export function RunState({ run }: { run: Shape<"RunView"> }) {
  const { t } = useTranslation("runs");
  const state = hasFailed(run) ? "failed" : run.state;
  const share = run.steps ? run.step / run.steps : 0;
  return (
    <span className={classes.state} data-state={state}>
      {t(`state_${state}`)}
      {run.state === "running" && ` ${percent(share)}`}
    </span>
  );
}
