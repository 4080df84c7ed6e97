import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { number } from "../../components/format";
import { HelpLink } from "../../components/HelpLink";
import tables from "../../components/Table.module.css";
import { useTold } from "../../words/told";
import classes from "./Proof.module.css";
import type { ProofProps } from "./RunProof";

/** What is said of each checkpoint, and behind a fold every number that was measured. */
export function Numbers({ proof }: ProofProps) {
  const { t } = useTranslation("proof");
  const { calledSo, labelled, meant } = useTold();
  const labels = [...new Set(proof.checkpoints.flatMap((one) => Object.keys(one.labels)))];
  return (
    <>
      <div className={classes.scroll}>
        <table className={`${tables.table} ${classes.table}`} aria-label={t("numbers")}>
          <thead>
            <tr>
              <th scope="col">{t("checkpoint")}</th>
              <th scope="col">{t("runs:verdict")}</th>
              <th scope="col">{t("score")}</th>
              {labels.map((label) => (
                <th key={label} scope="col">
                  {labelled(label)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {proof.checkpoints.map((one) => (
              <tr key={one.file} data-recommended={one.file === proof.recommended || undefined}>
                <th scope="row">
                  {calledSo(one.called, one.name)}
                  {one.file === proof.recommended && <span className={classes.mark}> {t("recommended")}</span>}
                  {proof.as_good.includes(one.file) && <span className="soft"> {t("as_good")}</span>}
                </th>
                <td>{labelled(one.verdict)}</td>
                <td>{withError(one.score)}</td>
                {labels.map((label) => (
                  <td key={label}>{t(`holds_${one.labels[label] ?? "unknown"}`)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <details>
        <summary>{t("meanings")}</summary>
        <dl className={classes.meanings}>
          {Object.entries(proof.verdicts).map(([verdict, meaning]) => (
            <div key={verdict}>
              <dt>
                {labelled(verdict)} <HelpLink kind="verdicts" name={verdict} sign />
              </dt>
              <dd>{meant(verdict, meaning)}</dd>
            </div>
          ))}
        </dl>
      </details>
      <details>
        <summary>{t("all_numbers")}</summary>
        <div className={classes.scroll}>
          <table className={`${tables.table} ${classes.table}`}>
            <thead>
              <tr>
                <th scope="col">{t("measure")}</th>
                {proof.checkpoints.map((one) => (
                  <th key={one.file} scope="col">
                    {calledSo(one.called, one.name)}
                  </th>
                ))}
                <th scope="col">{t("as_base")}</th>
              </tr>
            </thead>
            <tbody>
              {Object.entries(proof.measures).map(([name, measure]) => (
                <tr key={name}>
                  <th scope="row">
                    {measure.title}
                    {!measure.decides && <span className="soft"> {t("shown_only")}</span>}
                  </th>
                  {proof.checkpoints.map((one) => (
                    <td key={one.file}>{withError(one.measures[name])}</td>
                  ))}
                  <td>{measure.as_base === null ? "" : number(measure.as_base)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </>
  );
}

function withError(measured: Shape<"Number"> | null | undefined): string {
  if (!measured) return "–";
  return measured.error === null ? number(measured.value, 2) : `${number(measured.value, 2)} ± ${number(measured.error, 2)}`;
}
