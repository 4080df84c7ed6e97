import { Checkbox } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { Shape } from "../../api/client";
import { ago, number, roughly } from "../../components/format";
import tables from "../../components/Table.module.css";
import { useProjectNames } from "../../frame/project";
import { RunState } from "./RunState";
import classes from "./Runs.module.css";

interface Props {
  runs: Shape<"RunView">[];
  chosen: string[];
  onChoose: (ids: string[]) => void;
}

/** All runs, the latest first. Those that are ticked can be compared. */
export function RunTable({ runs, chosen, onChoose }: Props) {
  const { t } = useTranslation("runs");
  const nameOf = useProjectNames();
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
          {runs.map((run) => (
            <tr key={run.id}>
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
              <td className={classes.verdict}>{run.verdict}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
