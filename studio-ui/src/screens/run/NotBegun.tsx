import { useTranslation } from "react-i18next";
import { JobRow } from "../../frame/JobDrawer";
import type { Job } from "../../frame/job";

/** A run whose job waits for its turn, or has only just begun. */
export function NotBegun({ job }: { job: Job }) {
  const { t } = useTranslation("runs");
  const { settings } = job.arguments as { settings?: { name?: string } };
  return (
    <>
      <h1>{settings?.name ?? t("title")}</h1>
      <p className="soft">{t(job.state === "failed" ? "never_began" : "not_begun")}</p>
      <JobRow job={job} />
    </>
  );
}
