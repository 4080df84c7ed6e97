import { Button, Group, Kbd } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import type { TFunction } from "i18next";
import { Zap } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { api, ask, type Shape } from "../../api/client";
import { ErrorCard } from "../../components/ErrorCard";
import { bytes, number, roughly } from "../../components/format";
import { say } from "../../components/say";
import { useKeys } from "../../keys/useKeys";
import { forecastOf } from "./estimate";
import { folderOf } from "./names";
import classes from "./StartButtons.module.css";
import { TryRates } from "./sweep/TryRates";
import { valueAt } from "./tree";
import { type Planned, planOf } from "./usePlan";
import type { Training } from "./useTraining";

interface Props {
  project: Shape<"ProjectView">;
  training: Training;
  planned: Planned;
  /** Goes to where a sweep is put together. */
  onVary: () => void;
}

/** How thoroughly a LoRA is judged when it has been trained, by the level of its recipe. */
const EFFORT = { quick: "quick", standard: "standard", competition: "thorough" } as const;

/** Begins the training, and goes to it; or puts it into the queue, and stays. */
export function StartButtons({ project, training, planned, onVary }: Props) {
  const { t } = useTranslation("train");
  const [, go] = useLocation();
  const client = useQueryClient();
  const [sending, setSending] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  const name = String(valueAt(training.settings, "name") ?? "");
  const folder = folderOf(name);
  const ready = folder !== "" && !training.taken.has(folder) && !planned.problem && !sending;

  async function start(then: () => void) {
    setSending(true);
    setProblem(undefined);
    const out = `projects/${project.id}/runs/${folder}`;
    try {
      await client.fetchQuery(planOf(training.settings)); // what was typed a moment ago may be what no plan can be made of
      await ask(
        api.POST("/api/jobs", {
          body: {
            kind: "train",
            project: project.id,
            priority: 0,
            arguments: {
              settings: training.settings,
              out,
              prove: EFFORT[project.level ?? "standard"],
              ...(training.ray ? { ray: training.ray } : {}),
            },
          },
        }),
      );
      training.reset("name"); // the next training has another one
      then();
    } catch (error) {
      setProblem(error);
    } finally {
      setSending(false);
    }
  }

  const train = () => start(() => go(`/runs/${encodeURIComponent(`${project.id}~${folder}`)}`));
  useKeys({ "Ctrl+Enter": () => ready && train() });

  return (
    <div className={classes.start}>
      {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
      <p className={classes.summary}>{summaryOf(planned, t)}</p>
      <Button size="md" fullWidth loading={sending} disabled={!ready} leftSection={<Zap size={18} aria-hidden />} onClick={train}>
        {t("train")}
      </Button>
      <Group justify="space-between" gap="xs">
        <Button variant="subtle" size="xs" disabled={!ready} onClick={() => start(() => say(t("queued", { name })))}>
          {t("add_to_queue")}
        </Button>
        <span className="soft small">
          <Kbd size="xs">Ctrl</Kbd> <Kbd size="xs">Enter</Kbd>
        </span>
      </Group>
      {training.ray && <p className="soft small">{t("over_ray", { address: training.ray })}</p>}
      <TryRates project={project.id} training={training} ready={ready} onVary={onVary} />
    </div>
  );
}

/** The plan in one line, where there is no room for more beside the form. */
function summaryOf({ plan, estimate }: Planned, t: TFunction<"train">): string {
  if (!plan) return "";
  const { time, memory, files } = forecastOf(estimate);
  const parts = [
    t("in_steps", { steps: number(plan.steps) }),
    time === undefined ? t("estimating") : t("about", { what: roughly(time) }),
    memory !== undefined && bytes(memory),
    files !== undefined && t("checkpoints", { count: files }),
  ];
  return parts.filter(Boolean).join(" · ");
}
