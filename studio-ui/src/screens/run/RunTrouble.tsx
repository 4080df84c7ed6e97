import { Button, Group } from "@mantine/core";
import { TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import { sayProblem } from "../../components/say";
import classes from "./Run.module.css";
import { useJobOf } from "./useJobOf";

/** Why a run does not go on, in the words of whoever ended it, with what can be done; and what it was warned of. */
export function RunTrouble({ run }: { run: Shape<"RunFacts"> }) {
  const { t } = useTranslation("runs");
  const job = useJobOf(run.id);
  const failed = job?.state === "failed" ? job : undefined;
  const bad = run.state === "killed" || run.state === "unreadable" || failed !== undefined;
  const sentence = failed?.sentence || run.reason || (run.state === "killed" ? t("killed") : "");
  if (run.state === "running" || (!sentence && run.warnings.length === 0)) return null;
  return (
    <section className={`panel ${classes.trouble}`} data-bad={bad || undefined} role={bad ? "alert" : undefined}>
      {sentence && (
        <Group gap="xs" wrap="nowrap" align="start">
          <TriangleAlert size={18} aria-hidden />
          <p>{sentence}</p>
        </Group>
      )}
      {failed && (
        <Group gap="xs">
          <Button
            size="xs"
            onClick={() =>
              ask(api.POST("/api/jobs/{job}:{verb}", { params: { path: { job: failed.id, verb: "retry" } } })).catch(sayProblem)
            }
          >
            {t("frame:verb_retry")}
          </Button>
        </Group>
      )}
      {run.warnings.length > 0 && (
        <details>
          <summary>{t("warnings", { count: run.warnings.length })}</summary>
          <ul className={classes.warnings}>
            {run.warnings.map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}
