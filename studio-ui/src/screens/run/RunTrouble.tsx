import { Button, Group } from "@mantine/core";
import { TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { api, ask, type Shape } from "../../api/client";
import { Sentence } from "../../components/Sentence";
import { sayProblem } from "../../components/say";
import { hasFailed } from "../runs/hasFailed";
import { LastWords } from "./LastWords";
import classes from "./Run.module.css";
import { remediesOf } from "./remedies";
import { trainWith } from "./trainWith";
import { useJobOf } from "./useJobOf";

/** Why a run does not go on, in the words of whoever ended it, with what can be done; and what it was warned of. */
export function RunTrouble({ run }: { run: Shape<"RunFacts"> }) {
  const { t } = useTranslation("runs");
  const job = useJobOf(run.id);
  const failed = job?.state === "failed" ? job : undefined;
  const goesOn = run.state === "stopped" || run.state === "killed";
  const bad = hasFailed(run) || run.state === "killed" || run.state === "unreadable" || failed !== undefined;
  const sentence = run.reason || failed?.sentence || (run.state === "killed" ? t(run.step === 0 ? "killed_at_once" : "killed") : "");
  if (run.state === "running" || (!sentence && run.warnings.length === 0)) return null;
  return (
    <section className={`panel ${classes.trouble}`} data-bad={bad || undefined} role={bad ? "alert" : undefined}>
      {sentence && (
        <Group gap="sm" wrap="nowrap" align="start">
          <TriangleAlert size={18} aria-hidden className={classes.sign} />
          <p>
            <Sentence>{sentence}</Sentence>
          </p>
        </Group>
      )}
      {failed && goesOn && run.reason && failed.sentence !== run.reason && <p className="soft">{failed.sentence}</p>}
      {failed && run.step === 0 && (
        <>
          {goesOn && <p className="soft">{t("killed_at_once")}</p>}
          <LastWords job={failed.id} />
        </>
      )}
      <Remedies run={run} />
      {failed && !goesOn && (
        <Group gap="sm">
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
              <li key={warning}>
                <Sentence>{warning}</Sentence>
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

/** Buttons that train again with what may help. */
function Remedies({ run }: { run: Shape<"RunFacts"> }) {
  const { t } = useTranslation("runs");
  const [, go] = useLocation();
  const remedies = remediesOf(run.code, run.settings);
  if (remedies.length === 0 || !run.project) return null;
  return (
    <Group gap="sm">
      <span>{t("train_again")}</span>
      {remedies.map(({ key, changes }) => (
        <Button key={key} size="xs" variant="default" onClick={() => go(trainWith(run, changes))}>
          {t(`remedy_${key}`)}
        </Button>
      ))}
    </Group>
  );
}
