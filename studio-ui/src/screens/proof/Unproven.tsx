import { Button, Group, Progress, SegmentedControl } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { Trophy } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import { lookAgain, useGet } from "../../api/queries";
import { EmptyState } from "../../components/EmptyState";
import { ErrorCard } from "../../components/ErrorCard";
import { roughly } from "../../components/format";
import { doingOf, hasEnded, shareOf } from "../../frame/job";
import { useJobOf } from "../run/useJobOf";
import classes from "./Proof.module.css";

const EFFORTS = ["quick", "standard", "thorough"] as const;

/** A run that nobody has judged yet: one click does it, as a job. */
export function Unproven({ run, onProven }: { run: Shape<"RunFacts">; onProven: () => void }) {
  const { t } = useTranslation("proof");
  const client = useQueryClient();
  const { data: jobs } = useGet("/api/jobs");
  const [effort, setEffort] = useState<string>("standard");
  const [problem, setProblem] = useState<unknown>();
  const trains = useJobOf(run.id);
  const proves = jobs?.filter((one) => one.kind === "prove" && run.folder.endsWith(String(one.arguments.run))).at(-1);
  const job = proves ?? (trains?.arguments.prove && (run.state === "finished" || run.state === "judging") ? trains : undefined); // a training may judge itself at its end
  const done = job?.state === "done";
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the job has ended
  useEffect(() => {
    if (done) onProven();
  }, [done]);

  function prove(): void {
    ask(api.POST("/api/jobs", { body: { kind: "prove", project: run.project, priority: 0, arguments: { run: run.folder, effort } } }))
      .then(() => lookAgain(client, "/api/jobs"))
      .catch(setProblem);
  }

  if (job && !hasEnded(job)) {
    const share = shareOf(job);
    return (
      <section className={`panel ${classes.proving}`} aria-live="polite">
        <p>{t("proving")}</p>
        <Progress value={100 * (share ?? 0)} aria-label={t("proving")} />
        <p className="soft small">
          {t(`frame:state_${job.state}`)}
          {job.progress?.doing && ` · ${doingOf(job.progress)}`}
          {job.progress?.eta != null && ` · ${t("frame:left", { time: roughly(job.progress.eta) })}`}
        </p>
      </section>
    );
  }
  return (
    <>
      {job?.state === "failed" && <p role="alert">{job.sentence}</p>}
      <EmptyState
        icon={<Trophy size={32} />}
        action={
          <Group gap="sm">
            <SegmentedControl
              value={effort}
              onChange={setEffort}
              data={EFFORTS.map((name) => ({ value: name, label: t(`effort_${name}`) }))}
              aria-label={t("effort")}
            />
            <Button onClick={prove} disabled={run.checkpoints === 0}>
              {t("runs:prove")}
            </Button>
          </Group>
        }
      >
        {t(run.checkpoints === 0 ? "nothing_to_prove" : "unproven")}
      </EmptyState>
      {problem !== undefined && <ErrorCard problem={problem} />}
    </>
  );
}
