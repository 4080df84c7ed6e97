import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { api, ask } from "../../api/client";
import { hasEnded, titleOf } from "../../frame/job";
import { sayProblem } from "../say";
import { JobProgress } from "./JobProgress";
import classes from "./Jobs.module.css";
import type { Job } from "./useJob";

/** A job that the page waits for: what it does and how far it is; where it did not end well, why, and once more. */
export function JobBar({ job }: { job: Job }) {
  const { t } = useTranslation("frame");
  const ended = hasEnded(job);
  if (job.state === "done" || (ended && job.dismissed)) return null;
  const verb = job.state === "stopped" ? "resume" : "retry";
  const again = () => ask(api.POST("/api/jobs/{job}:{verb}", { params: { path: { job: job.id, verb } } })).catch(sayProblem);
  return (
    <section className={classes.bar} aria-label={titleOf(job)}>
      <strong className="small">{titleOf(job)}</strong>
      <JobProgress job={job} />
      {ended && (
        <Button size="compact-sm" variant="default" className={classes.again} onClick={again}>
          {t("again")}
        </Button>
      )}
    </section>
  );
}
