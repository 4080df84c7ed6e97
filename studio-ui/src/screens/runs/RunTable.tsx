import { ActionIcon, Checkbox } from "@mantine/core";
import { ChevronDown, ChevronRight } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { Shape } from "../../api/client";
import { ago, number, roughly } from "../../components/format";
import { Sentence } from "../../components/Sentence";
import tables from "../../components/Table.module.css";
import { useProjectNames } from "../../frame/project";
import { useTold } from "../../words/told";
import { SweepState } from "../sweep/SweepState";
import { RunState } from "./RunState";
import classes from "./Runs.module.css";

type Run = Shape<"RunView">;
type Sweep = Shape<"SweepView">;

interface Props {
  runs: Run[];
  sweeps: Sweep[];
  chosen: string[];
  onChoose: (ids: string[]) => void;
}

/** All runs, the latest first; a sweep is one row, with its trials under it when it is opened. Runs that are ticked can be compared. */
export function RunTable({ runs, sweeps, chosen, onChoose }: Props) {
  const { t } = useTranslation("runs");
  return (
    <div className={classes.scroll}>
      <table className={`${tables.table} ${classes.table}`} aria-label={t("title")}>
        <thead>
          <tr>
            <th>
              <span className="visually-hidden">{t("choose")}</span>
            </th>
            <th scope="col">{t("name")}</th>
            <th scope="col">{t("frame:project")}</th>
            <th scope="col">{t("state")}</th>
            <th scope="col" data-number>
              {t("step")}
            </th>
            <th scope="col" data-number>
              {t("loss")}
            </th>
            <th scope="col">{t("last")}</th>
            <th scope="col">{t("verdict")}</th>
          </tr>
        </thead>
        <tbody>
          {inOrder(runs, sweeps).map((one) =>
            "begun" in one ? (
              <SweepRows key={one.id} sweep={one} trials={runs.filter((run) => run.sweep === one.id)} chosen={chosen} onChoose={onChoose} />
            ) : (
              <RunRow key={one.id} run={one} chosen={chosen} onChoose={onChoose} />
            ),
          )}
        </tbody>
      </table>
    </div>
  );
}

/** Sweeps, and runs that are no sweep's, the latest first. */
function inOrder(runs: Run[], sweeps: Sweep[]): (Run | Sweep)[] {
  const known = new Set(sweeps.map((sweep) => sweep.id));
  const time = (one: Run | Sweep) => (one.last_event ? Date.parse(one.last_event) : 0);
  return [...sweeps, ...runs.filter((run) => run.sweep === null || !known.has(run.sweep))].sort((one, other) => time(other) - time(one));
}

function SweepRows({ sweep, trials, chosen, onChoose }: { sweep: Sweep; trials: Run[] } & Pick<Props, "chosen" | "onChoose">) {
  const { t } = useTranslation("runs");
  const nameOf = useProjectNames();
  const { told } = useTold();
  const [opened, open] = useState(false);
  const numbered = [...trials].sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  return (
    <>
      <tr>
        <td>
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-expanded={opened}
            aria-label={t("sweeps:show_trials", { name: sweep.name })}
            disabled={trials.length === 0}
            onClick={() => open(!opened)}
          >
            {opened ? <ChevronDown size={16} /> : <ChevronRight size={16} />}
          </ActionIcon>
        </td>
        <td>
          <Link href={`/sweeps/${encodeURIComponent(sweep.id)}`}>{sweep.name}</Link>
          <div className="soft small">{t("sweeps:sweep")}</div>
        </td>
        <td>{nameOf(sweep.project)}</td>
        <td>
          <SweepState sweep={sweep} />
          {sweep.reason && <div className={`soft small ${classes.reason}`}>{sweep.reason}</div>}
        </td>
        <td data-number>{t("sweeps:trials_of", { done: number(sweep.ended), all: number(sweep.trials) })}</td>
        <td />
        <td>{sweep.last_event && ago(sweep.last_event)}</td>
        <td className={classes.verdict}>
          <Sentence>{told(sweep.sentence, sweep.sentence_said)}</Sentence>
        </td>
      </tr>
      {opened && numbered.map((run) => <RunRow key={run.id} run={run} chosen={chosen} onChoose={onChoose} trial />)}
    </>
  );
}

function RunRow({ run, chosen, onChoose, trial = false }: { run: Run; trial?: boolean } & Pick<Props, "chosen" | "onChoose">) {
  const { t } = useTranslation("runs");
  const nameOf = useProjectNames();
  const { told } = useTold();
  return (
    <tr data-trial={trial || undefined}>
      <td>
        <Checkbox
          checked={chosen.includes(run.id)}
          onChange={() => onChoose(chosen.includes(run.id) ? chosen.filter((id) => id !== run.id) : [...chosen, run.id])}
          aria-label={t("choose_run", { run: run.name })}
        />
      </td>
      <td>
        <Link href={`/runs/${encodeURIComponent(run.id)}`}>{run.name}</Link>
      </td>
      <td>{nameOf(run.project)}</td>
      <td>
        <RunState run={run} />
        {run.eta !== null && <div className="soft small">{t("frame:left", { time: roughly(run.eta) })}</div>}
        {run.reason && (
          <div className={`soft small ${classes.reason}`} title={run.reason}>
            {run.reason}
          </div>
        )}
      </td>
      <td data-number>{run.steps === null ? run.step : t("of", { done: number(run.step), all: number(run.steps) })}</td>
      <td data-number>{run.loss === null ? "" : number(run.loss, 4)}</td>
      <td>{run.last_event && ago(run.last_event)}</td>
      <td className={classes.verdict}>{told(run.verdict, run.said)}</td>
    </tr>
  );
}
