import { CloseButton } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { api, ask } from "../../api/client";
import { titleOf } from "../../frame/job";
import { sayProblem } from "../say";
import type { Job } from "./useJob";

/** Shows a job that has ended no more, in no browser, until it is tried again. The answer comes as an event. */
export function Dismiss({ job }: { job: Job }) {
  const { t } = useTranslation("jobs");
  const words = t("dismiss", { job: titleOf(job) });
  const dismiss = () => ask(api.POST("/api/jobs/{job}:{verb}", { params: { path: { job: job.id, verb: "dismiss" } } })).catch(sayProblem);
  return <CloseButton size="var(--hit)" aria-label={words} title={words} onClick={dismiss} />;
}
