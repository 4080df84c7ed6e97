import { Button, Group, Progress } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { api, ask } from "../../api/client";
import { doingOf, hasEnded, isWaiting, shareOf, titleOf } from "../../frame/job";
import { roughly } from "../format";
import { Sentence } from "../Sentence";
import { sayProblem } from "../say";
import { Dismiss } from "./Dismiss";
import classes from "./Jobs.module.css";
import type { Job } from "./useJob";

/** How far a job is, until it has ended; then why, where it did not end well. */
export function JobProgress({ job }: { job: Job }) {
  const { t } = useTranslation("frame");
  if (job.state === "done") return null;
  if (hasEnded(job)) {
    if (job.dismissed) return null;
    return (
      <div className={classes.ended}>
        <p className={classes.failed} role="alert">
          <Sentence>{job.sentence || t(`state_${job.state}`)}</Sentence>
        </p>
        <Dismiss job={job} />
      </div>
    );
  }
  const share = shareOf(job);
  const { progress } = job;
  const cancel = () => ask(api.POST("/api/jobs/{job}:{verb}", { params: { path: { job: job.id, verb: "cancel" } } })).catch(sayProblem);
  return (
    <div className={classes.progress} aria-live="polite">
      <Group justify="space-between" gap="xs">
        <span className="small">
          {progress?.doing && !isWaiting(job) ? doingOf(progress) : t(`state_${job.state}`)}
          {progress?.eta != null && ` · ${t("left", { time: roughly(progress.eta) })}`}
        </span>
        <Button size="compact-xs" variant="default" onClick={cancel}>
          {t("verb_cancel")}
        </Button>
      </Group>
      <Progress size="sm" value={share === undefined ? 100 : share * 100} animated={share === undefined} aria-label={titleOf(job)} />
    </div>
  );
}
