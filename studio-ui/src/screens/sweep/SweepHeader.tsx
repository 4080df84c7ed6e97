import { Button, Group, Progress } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { FileDown, Play, Square } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import { lookAgain } from "../../api/queries";
import { number, percent } from "../../components/format";
import { say, sayProblem } from "../../components/say";
import { useAddress } from "../../state/address";
import { ExportSweep } from "./ExportSweep";
import classes from "./Sweep.module.css";
import { SweepState } from "./SweepState";

/** How far the sweep is, how it searches, and what can be asked of it. */
export function SweepHeader({ sweep }: { sweep: Shape<"SweepFacts"> }) {
  const { t } = useTranslation("sweeps");
  const [dialog, show] = useAddress("dialog");
  const facts: [string, string][] = [
    [t("trials"), t("runs:of", { done: number(sweep.ended), all: number(sweep.trials) })],
    [t("search"), t(`search_${sweep.search}`)],
    [t("share"), sweep.share < 1 ? t("share_then_full", { share: percent(sweep.share) }) : t("share_full")],
    [t("effort"), t(`effort_${sweep.effort}`)],
    ...(sweep.hours === null ? [] : [[t("hours"), number(sweep.hours)] as [string, string]]),
  ];
  return (
    <>
      <header className={classes.head}>
        <div>
          <h1>{sweep.name}</h1>
          <SweepState sweep={sweep} />
        </div>
        <Group gap="sm">
          <Button variant="default" leftSection={<FileDown size={16} aria-hidden />} onClick={() => show("export")}>
            {t("export")}
          </Button>
          <StopOrResume sweep={sweep} />
        </Group>
      </header>
      {sweep.state === "running" && <Progress value={(100 * sweep.ended) / sweep.trials} size="sm" aria-label={t("trials")} />}
      <dl className={classes.facts}>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {dialog === "export" && <ExportSweep sweep={sweep} onClose={() => show("")} />}
    </>
  );
}

function StopOrResume({ sweep }: { sweep: Shape<"SweepFacts"> }) {
  const { t } = useTranslation("sweeps");
  const client = useQueryClient();
  const look = () => lookAgain(client, "/api/jobs", "/api/sweeps", "/api/sweeps/{sweep}");

  function stop(job: number): void {
    ask(api.POST("/api/jobs/{job}:{verb}", { params: { path: { job, verb: "stop" } } }))
      .then(() => sweep.state === "running" && say(t("asked_stop"))) // one that waits has none under way
      .then(look)
      .catch(sayProblem);
  }

  function resume(): void {
    ask(api.POST("/api/sweeps/{sweep}:resume", { params: { path: { sweep: sweep.id } } }))
      .then(look)
      .catch(sayProblem);
  }

  if (sweep.state === "running" || sweep.state === "waiting") {
    const { job } = sweep;
    if (job === null) return <span className="soft small">{t("of_a_shell")}</span>;
    return (
      <Button leftSection={<Square size={16} aria-hidden />} onClick={() => stop(job)}>
        {t("frame:verb_stop")}
      </Button>
    );
  }
  if (sweep.state !== "stopped" && sweep.state !== "failed") return null;
  return (
    <Button leftSection={<Play size={16} aria-hidden />} onClick={resume}>
      {t("frame:verb_resume")}
    </Button>
  );
}
