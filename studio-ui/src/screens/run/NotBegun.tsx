import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { JobRow } from "../../frame/JobDrawer";
import { fileOf, hasEnded, isWaiting, type Job } from "../../frame/job";
import { LastWords } from "./LastWords";

/** A run that is not there: its job waits for its turn, has only just begun, or ended before the first step, and then why. */
export function NotBegun({ job }: { job: Job }) {
  const { t } = useTranslation("runs");
  const { settings, sweep } = job.arguments as { settings?: { name?: string }; sweep?: { name?: string } };
  const ended = hasEnded(job);
  return (
    <>
      <h1>{settings?.name ?? sweep?.name ?? fileOf(job.arguments) ?? t("title")}</h1>
      <p className={ended ? undefined : "soft"} role={ended ? "alert" : undefined}>
        {t(ended ? `never_began_${job.state}` : isWaiting(job) ? "not_begun" : "beginning")}
      </p>
      <JobRow job={job} />
      {ended && <LastWords job={job.id} />}
      {ended && job.project && (
        <Button component={Link} href={`/projects/${encodeURIComponent(job.project)}/train`} variant="default" size="xs" w="fit-content">
          {t("other_settings")}
        </Button>
      )}
    </>
  );
}
