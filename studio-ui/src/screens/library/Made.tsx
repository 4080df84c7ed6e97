import { CircleCheck } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Job } from "../../components/jobs/useJob";
import classes from "./Made.module.css";

/** What a finished job on LoRAs made, and what is left to do. */
export function Made({ job }: { job: Job }) {
  const { t } = useTranslation("library");
  const { file, out, installed, refresh, pushed } = job.outcome as Record<string, string | null | undefined>;
  const place = file ?? out ?? installed;
  return (
    <div className={classes.made} role="status">
      <CircleCheck size={18} aria-hidden />
      <div>
        {place && <p>{t("made", { place })}</p>}
        {pushed && <p>{pushed}</p>}
        {refresh && <p>{refresh}</p>}
      </div>
    </div>
  );
}
