import { Button, Group, Menu, Progress } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { Camera, Copy, Ellipsis, Play, Save, Square } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "wouter";
import { api, ask, type Shape } from "../../api/client";
import { lookAgain } from "../../api/queries";
import { bytes, number, roughly } from "../../components/format";
import { say, sayProblem } from "../../components/say";
import { goesOnBy, hasEnded } from "../../frame/job";
import { useKeys } from "../../keys/useKeys";
import { RunState } from "../runs/RunState";
import type { PartProps } from "./part";
import classes from "./Run.module.css";
import { trainWith } from "./trainWith";
import { useJobOf } from "./useJobOf";

const MEGABYTE = 1e6;

/** How far the run is, in numbers, and what can be asked of it. */
export function RunHeader({ run, curve }: PartProps) {
  const { t } = useTranslation("runs");
  const last = (name: string) => curve?.series[name]?.values.at(-1) ?? null;
  const memory = last("memory/device_mb") ?? last("memory/process_mb");
  const facts: [string, string | null][] = [
    ["step", run.steps === null ? number(run.step) : t("of", { done: number(run.step), all: number(run.steps) })],
    ["epoch", run.epochs === null ? number(run.epoch) : t("of", { done: number(run.epoch), all: number(run.epochs) })],
    ["eta", run.eta === null ? null : roughly(run.eta)],
    ["loss", run.loss === null ? null : number(run.loss, 4)],
    ["images_per_second", run.images_per_second === null ? null : number(run.images_per_second)],
    ["memory", memory === null ? null : bytes(memory * MEGABYTE)],
  ];
  return (
    <>
      <header className={classes.head}>
        <div>
          <h1>{run.name}</h1>
          <RunState run={run} />
          {run.sweep && (
            <div className="small">
              <Link href={`/sweeps/${encodeURIComponent(run.sweep)}`}>{t("sweeps:of_sweep", { name: run.sweep.split("~").at(-1) })}</Link>
            </div>
          )}
        </div>
        <RunButtons run={run} />
      </header>
      {run.state === "running" && run.steps && <Progress value={(100 * run.step) / run.steps} size="sm" aria-label={t("step")} />}
      <dl className={classes.facts}>
        {facts.map(
          ([name, value]) =>
            value !== null && (
              <div key={name}>
                <dt>{t(name)}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
    </>
  );
}

/** Stop, save and sample for a run that goes on, wherever it was started; resume and clone for one that does not. */
function RunButtons({ run }: { run: Shape<"RunFacts"> }) {
  const { t } = useTranslation("runs");
  const [, go] = useLocation();
  const client = useQueryClient();
  const going = run.state === "running";
  const trains = useJobOf(run.id);
  const job = trains && !hasEnded(trains) ? trains : undefined;

  function command(name: "stop" | "save" | "sample"): void {
    ask(api.POST("/api/runs/{run}:{command}", { params: { path: { run: run.id, command: name } } }))
      .then(() => say(t(`asked_${name}`)))
      .catch(sayProblem);
  }

  /** By its job, or by a new one where it has none that can go on. */
  function resume(): void {
    const verb = trains && goesOnBy(trains);
    ask(
      trains && verb
        ? api.POST("/api/jobs/{job}:{verb}", { params: { path: { job: trains.id, verb } } })
        : api.POST("/api/jobs", { body: { kind: "train", project: run.project, priority: 0, arguments: { run: run.folder } } }),
    )
      .then(() => lookAgain(client, "/api/jobs", "/api/runs"))
      .catch(sayProblem);
  }

  useKeys({ s: () => (going ? command("sample") : false) });
  return (
    <Group gap="sm">
      {going && (
        <>
          <Button variant="default" leftSection={<Camera size={16} aria-hidden />} onClick={() => command("sample")}>
            {t("sample_now")}
          </Button>
          <Button variant="default" leftSection={<Save size={16} aria-hidden />} onClick={() => command("save")}>
            {t("save_now")}
          </Button>
          {job && (
            <Button
              variant="default"
              onClick={() =>
                ask(api.POST("/api/jobs/{job}:{verb}", { params: { path: { job: job.id, verb: "pause" } } })).catch(sayProblem)
              }
            >
              {t("frame:verb_pause")}
            </Button>
          )}
          <Button leftSection={<Square size={16} aria-hidden />} onClick={() => command("stop")}>
            {t("frame:verb_stop")}
          </Button>
        </>
      )}
      {(run.state === "stopped" || run.state === "killed") &&
        (job && job.state !== "paused" ? (
          <span className="soft">{t(`frame:state_${job.state}`)}</span>
        ) : (
          <Button leftSection={<Play size={16} aria-hidden />} onClick={resume}>
            {t(run.code === "stopped" && run.step > 0 ? "resume_from" : "frame:verb_resume", { step: number(run.step) })}
          </Button>
        ))}
      {run.project && (
        <Menu position="bottom-end">
          <Menu.Target>
            <Button variant="default" px="xs" aria-label={t("more")}>
              <Ellipsis size={18} />
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item leftSection={<Copy size={16} />} onClick={() => go(trainWith(run))}>
              {t("clone")}
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      )}
    </Group>
  );
}
