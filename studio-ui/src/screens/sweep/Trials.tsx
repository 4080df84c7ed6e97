import { useMediaQuery } from "@mantine/hooks";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { Shape } from "../../api/client";
import { number } from "../../components/format";
import tables from "../../components/Table.module.css";
import { useTold } from "../../words/told";
import runs from "../runs/Runs.module.css";
import classes from "./Sweep.module.css";
import { withError } from "./withError";

type Trial = Shape<"TrialView">;

const NARROW = "(max-width: 1000px)";

/** What the dot of a run's state is for a trial's. */
const DOTS: Record<Trial["state"], string> = {
  waiting: "waiting",
  running: "running",
  paused: "stopped",
  done: "finished",
  failed: "failed",
  cancelled: "stopped",
  "ruled out": "stopped",
};

/** The trials side by side: what each varies, how far it is, what held-out pictures and the verdict say. */
export function Trials({ sweep }: { sweep: Shape<"SweepFacts"> }) {
  const { t } = useTranslation("sweeps");
  const varied = Object.keys(sweep.rows[0]?.values ?? {});
  const narrow = useMediaQuery(NARROW, undefined, { getInitialValueInEffect: false });
  const columns = { varied, heldOut: sweep.rows.some((row) => row.held_out !== null), verdict: !narrow };
  if (sweep.rows.length === 0) return <p className="soft">{t("no_trials")}</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section className={classes.scroll} tabIndex={0} aria-label={t("trials")}>
      <table className={`${tables.table} ${classes.table}`} aria-label={t("trials")}>
        <thead>
          <tr>
            <th scope="col">{t("trial")}</th>
            {varied.map((name) => (
              <th key={name} scope="col">
                <code>{name}</code>
              </th>
            ))}
            <th scope="col">{t("runs:state")}</th>
            <th scope="col" data-number>
              {t("runs:step")}
            </th>
            {columns.heldOut && (
              <th scope="col" data-number title={t("held_out_says")}>
                {t("held_out")}
              </th>
            )}
            <th scope="col" data-number>
              {t("proof:score")}
            </th>
            {columns.verdict && <th scope="col">{t("runs:verdict")}</th>}
          </tr>
        </thead>
        <tbody>
          {sweep.rows.map((row) => (
            <Row key={row.number ?? "full"} row={row} columns={columns} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface Columns {
  varied: string[];
  /** Whether a trial has been measured on held-out pictures. */
  heldOut: boolean;
  /** Whether there is room for one of the verdict; else it is on a line of its own. */
  verdict: boolean;
}

function Row({ row, columns }: { row: Trial; columns: Columns }) {
  const { t } = useTranslation("sweeps");
  const { told } = useTold();
  const said = row.verdict.map((english, at) => told(english, row.said[at])).join(t("proof:between"));
  const verdict = said || told(row.reason, row.reason_said);
  const name = row.number === null ? t("in_full") : t("trial_number", { number: row.number });
  return (
    <>
      <tr data-recommended={row.recommended || undefined} data-more={(!columns.verdict && verdict) || undefined}>
        <th scope="row">
          {row.run ? <Link href={`/runs/${encodeURIComponent(row.run)}`}>{name}</Link> : name}
          {row.recommended && <div className={classes.mark}>{t("proof:recommended")}</div>}
          {row.as_good && <div className="soft small">{t("proof:as_good")}</div>}
        </th>
        {columns.varied.map((setting) => (
          <td key={setting}>{row.values[setting]}</td>
        ))}
        <td>
          <span className={runs.state} data-state={DOTS[row.state]}>
            {t(`trial_${row.state.replace(" ", "_")}`)}
          </span>
        </td>
        <td data-number>{row.steps === null ? "" : t("runs:of", { done: number(row.step), all: number(row.steps) })}</td>
        {columns.heldOut && (
          <td data-number>
            {row.held_out && (
              <>
                {withError(row.held_out.change)}
                <div className="soft small">{t("after_epoch", { epoch: number(row.held_out.epoch) })}</div>
              </>
            )}
          </td>
        )}
        <td data-number>{withError(row.score)}</td>
        {columns.verdict && <td className={classes.verdict}>{verdict}</td>}
      </tr>
      {!columns.verdict && verdict && (
        <tr data-recommended={row.recommended || undefined}>
          <td colSpan={columns.varied.length + (columns.heldOut ? 5 : 4)}>{verdict}</td>
        </tr>
      )}
    </>
  );
}
