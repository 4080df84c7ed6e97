import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { ErrorCard } from "../../components/ErrorCard";
import { bytes, number, roughly } from "../../components/format";
import { Sentence } from "../../components/Sentence";
import { Buckets } from "./Buckets";
import { forecastOf, roomOf } from "./estimate";
import { MemoryBar } from "./MemoryBar";
import { PlanFindings } from "./PlanFindings";
import classes from "./PlanPanel.module.css";
import { valueAt } from "./tree";
import type { Planned } from "./usePlan";
import type { Training } from "./useTraining";

/** What the training will be: steps at once, time, memory and files as soon as they are known, and what is odd about it. */
export function PlanPanel({ project, training, planned }: { project: string; training: Training; planned: Planned }) {
  const { t } = useTranslation("train");
  const { data: system } = useGet("/api/system");
  const { plan, estimate, problem, stale } = planned;
  const forecast = forecastOf(estimate);
  const later = estimate?.state === "failed" ? "–" : t("estimating");
  return (
    <section className={`panel ${classes.panel}`} aria-label={t("plan")}>
      <h2 className={classes.title}>{t("plan")}</h2>
      {problem && (
        <div className={classes.problem}>
          <ErrorCard key={problem.message} problem={problem} />
        </div>
      )}
      {plan && (
        <div className={stale ? classes.stale : undefined} aria-busy={stale}>
          <dl className={classes.facts}>
            <Fact
              name={t("steps")}
              value={number(plan.steps)}
              more={t("steps_of", { count: plan.epochs, each: number(plan.steps_per_epoch) })}
              strong
            />
            <Fact name={t("time")} value={forecast.time === undefined ? later : t("about", { what: roughly(forecast.time) })} strong />
            <Fact name={t("pictures")} value={number(plan.pictures)} more={t("samples_of", { samples: number(plan.samples_per_epoch) })} />
            <Fact
              name={t("file")}
              value={forecast.file === undefined ? later : bytes(forecast.file)}
              more={
                forecast.files !== undefined && forecast.disk !== undefined
                  ? t("files_of", { count: forecast.files, all: bytes(forecast.disk) })
                  : undefined
              }
            />
          </dl>
          <MemoryBar forecast={forecast} room={roomOf(system, valueAt(training.settings, "training.device"))} later={later} />
          {estimate?.state === "failed" && (
            <p className={classes.failed}>
              <Sentence>{estimate.problem ?? ""}</Sentence>
            </p>
          )}
          {plan.missing.length > 0 && <p className={classes.failed}>{t("base_lacks", { parts: plan.missing.join(", ") })}</p>}
          <Buckets buckets={plan.buckets} />
          <PlanFindings project={project} findings={plan.findings} onChange={training.setAll} />
        </div>
      )}
    </section>
  );
}

function Fact({ name, value, more, strong = false }: { name: string; value: string; more?: string; strong?: boolean }) {
  return (
    <div>
      <dt className="soft small">{name}</dt>
      <dd className={strong ? classes.strong : undefined}>{value}</dd>
      {more && <dd className="soft small">{more}</dd>}
    </div>
  );
}
