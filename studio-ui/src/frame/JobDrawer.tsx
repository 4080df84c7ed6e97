import { Button, Drawer, Group, Progress } from "@mantine/core";
import { ListTodo } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, ask } from "../api/client";
import { useGet } from "../api/queries";
import { EmptyState } from "../components/EmptyState";
import { ago, roughly } from "../components/format";
import { Dismiss } from "../components/jobs/Dismiss";
import { Loaded } from "../components/Loaded";
import { Sentence } from "../components/Sentence";
import { sayProblem } from "../components/say";
import classes from "./JobDrawer.module.css";
import { doingOf, hasEnded, inOrder, isWaiting, type Job, shareOf, titleOf } from "./job";
import { useProjectNames } from "./project";

const ENDED_SHOWN = 10;

/** Everything that runs or waits, and the last ten that ended. */
export function JobDrawer({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { t } = useTranslation("frame");
  const jobs = useGet("/api/jobs");
  return (
    <Drawer opened={opened} onClose={onClose} title={t("jobs")} position="right" size={380}>
      <Loaded of={jobs}>
        {(known) => {
          const all = known.filter((job) => !job.dismissed);
          return all.length === 0 ? (
            <EmptyState icon={<ListTodo size={32} />}>{t("no_jobs")}</EmptyState>
          ) : (
            <>
              <JobList title={t("going_on")} jobs={all.filter((job) => !hasEnded(job) && !isWaiting(job))} />
              <JobList title={t("waiting")} jobs={all.filter(isWaiting).sort(inOrder)} />
              <JobList title={t("ended")} jobs={all.filter(hasEnded).sort(latestFirst).slice(0, ENDED_SHOWN)} />
            </>
          );
        }}
      </Loaded>
    </Drawer>
  );
}

function JobList({ title, jobs }: { title: string; jobs: Job[] }) {
  if (jobs.length === 0) return null;
  return (
    <section className={classes.list}>
      <h3>{title}</h3>
      <ul>
        {jobs.map((job) => (
          <li key={job.id}>
            <JobRow job={job} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** One job: what it does and for whom, how far it is, what can be asked of it. */
export function JobRow({ job }: { job: Job }) {
  const { t } = useTranslation("frame");
  const nameOf = useProjectNames();
  const share = shareOf(job);
  const going = !hasEnded(job) && !isWaiting(job);
  return (
    <article className={classes.job} data-state={job.state}>
      <div className={classes.head}>
        <strong>{titleOf(job)}</strong>
        <span className={`soft small ${classes.project}`}>{job.project && nameOf(job.project)}</span>
        {hasEnded(job) && (
          <span className={classes.dismiss}>
            <Dismiss job={job} />
          </span>
        )}
      </div>
      {going && (
        <Progress value={share === undefined ? 100 : share * 100} animated={share === undefined} size="sm" aria-label={titleOf(job)} />
      )}
      <div className="soft small">
        {t(`state_${job.state}`)}
        {going && job.progress?.doing && ` · ${doingOf(job.progress)}`}
        {going && job.progress?.eta != null && ` · ${t("left", { time: roughly(job.progress.eta) })}`}
        {job.ended && ` · ${ago(job.ended)}`}
      </div>
      {job.sentence && (
        <p className={job.state === "failed" ? classes.failed : "small"}>
          <Sentence>{job.sentence}</Sentence>
        </p>
      )}
      <Group gap={6}>
        {job.kind === "grid" && job.state === "done" && (
          <Button component={Link} href={`/playground?view=grid&grid=${job.id}`} size="compact-xs" variant="default">
            {t("show_grid")}
          </Button>
        )}
        {verbsOf(job).map((verb) => (
          <Button key={verb} size="compact-xs" variant="default" onClick={() => askJob(job, verb)}>
            {t(`verb_${verb}`)}
          </Button>
        ))}
      </Group>
    </article>
  );
}

type Verb = "stop" | "cancel" | "pause" | "resume" | "retry";

function verbsOf(job: Job): Verb[] {
  switch (job.state) {
    case "running":
      return job.kind === "train" ? ["pause", "stop", "cancel"] : job.kind === "sweep" ? ["stop"] : ["cancel"];
    case "queued":
    case "interrupted": // it goes on by itself
      return ["cancel"];
    case "paused":
      return ["resume", "cancel"];
    case "stopped":
      return ["resume"];
    case "failed":
    case "cancelled":
      return ["retry"];
    default:
      return [];
  }
}

function askJob(job: Job, verb: Verb): void {
  ask(api.POST("/api/jobs/{job}:{verb}", { params: { path: { job: job.id, verb } } })).catch(sayProblem); // the answer comes as an event
}

function latestFirst(one: Job, other: Job): number {
  return (other.ended ?? "").localeCompare(one.ended ?? "");
}
