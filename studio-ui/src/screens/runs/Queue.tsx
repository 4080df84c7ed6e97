import { ActionIcon } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { ChevronDown, ChevronUp } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask } from "../../api/client";
import { lookAgain, useGet } from "../../api/queries";
import { sayProblem } from "../../components/say";
import { JobRow } from "../../frame/JobDrawer";
import { hasEnded, hasPlace, inOrder, isWaiting, type Job, titleOf } from "../../frame/job";
import classes from "./Runs.module.css";

/** What runs, and what waits in its order, which is changed by dragging or by the arrows. Nothing is shown where nothing goes on. */
export function Queue() {
  const { t } = useTranslation("runs");
  const client = useQueryClient();
  const { data: jobs = [] } = useGet("/api/jobs");
  const [dragged, drag] = useState<Job>();
  const [over, setOver] = useState<Job>();
  const waiting = jobs.filter(hasPlace).sort(inOrder);
  const going = jobs.filter((job) => !hasEnded(job) && !isWaiting(job));
  const paused = jobs.filter((job) => isWaiting(job) && !hasPlace(job)).sort(inOrder);
  const others = [...going, ...paused];
  if (others.length + waiting.length === 0) return null;

  function move(job: Job, order: number): void {
    if (order < 1 || order > waiting.length) return;
    ask(api.PATCH("/api/jobs/{job}", { params: { path: { job: job.id } }, body: { order } }))
      .catch(sayProblem)
      .finally(() => lookAgain(client, "/api/jobs"));
  }

  return (
    <section aria-labelledby="queue">
      <h2 id="queue">{t("queue")}</h2>
      <ol className={classes.queue}>
        {others.map((job) => (
          <li key={job.id}>
            <JobRow job={job} />
          </li>
        ))}
        {waiting.map((job, index) => (
          <li
            key={job.id}
            draggable
            data-over={over?.id === job.id || undefined}
            onDragStart={() => drag(job)}
            onDragEnd={() => {
              drag(undefined);
              setOver(undefined);
            }}
            onDragOver={(event) => {
              event.preventDefault();
              setOver(job);
            }}
            onDrop={() => dragged && dragged.id !== job.id && move(dragged, index + 1)}
          >
            <span className={classes.grip}>
              <ActionIcon
                variant="subtle"
                color="gray"
                disabled={index === 0}
                aria-label={t("move_up", { job: titleOf(job) })}
                onClick={() => move(job, index)}
              >
                <ChevronUp size={16} />
              </ActionIcon>
              <ActionIcon
                variant="subtle"
                color="gray"
                disabled={index === waiting.length - 1}
                aria-label={t("move_down", { job: titleOf(job) })}
                onClick={() => move(job, index + 2)}
              >
                <ChevronDown size={16} />
              </ActionIcon>
            </span>
            <JobRow job={job} />
          </li>
        ))}
      </ol>
    </section>
  );
}
