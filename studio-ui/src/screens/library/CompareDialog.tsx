import { Modal } from "@mantine/core";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { ErrorCard } from "../../components/ErrorCard";
import { number } from "../../components/format";
import { JobProgress } from "../../components/jobs/JobProgress";
import { useJob } from "../../components/jobs/useJob";
import tables from "../../components/Table.module.css";
import classes from "./CompareDialog.module.css";
import { type Comparison, comparisonOf } from "./comparison";
import { namesOf } from "./names";
import type { Lora } from "./useLoras";

/** LoRAs beside one another: what they were trained with, how much each changes, and whether they change the same. */
export function CompareDialog({ loras, onClose }: { loras: Lora[]; onClose: () => void }) {
  const { t } = useTranslation("library");
  const { job, problem, start } = useJob();
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, for what was selected when it was opened
  useEffect(() => {
    start("compare", { files: loras.map((lora) => lora.file) });
  }, []);
  const comparison = job?.state === "done" ? comparisonOf(job.outcome) : undefined;
  return (
    <Modal opened onClose={onClose} title={t("compare_these", { count: loras.length })} size="80%">
      {problem !== undefined && <ErrorCard problem={problem} />}
      {job && <JobProgress job={job} />}
      {comparison && <Compared comparison={comparison} names={loras.map((lora) => namesOf(loras).get(lora.id) ?? lora.name)} />}
    </Modal>
  );
}

function Compared({ comparison, names }: { comparison: Comparison; names: string[] }) {
  const { t } = useTranslation("library");
  const { settings, norms, cosines, blocks, notes } = comparison;
  const shown = (value: number | null | undefined) => (value === null || value === undefined ? "–" : number(value));
  return (
    <div className={classes.compared}>
      <section className={`${tables.scrolled} ${classes.table}`}>
        <h3>{t("alike")}</h3>
        <p className="soft small">{t("alike_says")}</p>
        <table>
          <Head names={names} first={t("file")} />
          <tbody>
            <tr>
              <th scope="row">{t("norm")}</th>
              {norms.map((norm, at) => (
                <td key={names[at]}>{shown(norm)}</td>
              ))}
            </tr>
            {cosines.map((row, at) => (
              <tr key={names[at]}>
                <th scope="row">{t("alike_with", { name: names[at] })}</th>
                {row.map((cosine, other) => (
                  <td key={names[other]}>{shown(cosine)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <section className={`${tables.scrolled} ${classes.table}`}>
        <h3>{t("differ", { count: settings.length })}</h3>
        <table>
          <Head names={names} first={t("setting")} />
          <tbody>
            {settings.map((setting) => (
              <tr key={setting.name}>
                <th scope="row">
                  <code>{setting.name}</code>
                </th>
                {setting.values.map((value, at) => (
                  <td key={names[at]}>{value}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <details className={`${tables.scrolled} ${classes.table}`}>
        <summary>{t("blocks", { count: blocks.length })}</summary>
        <table>
          <Head names={names} first={t("block")} />
          <tbody>
            {blocks.map((block) => (
              <tr key={`${block.part}.${block.block}`}>
                <th scope="row">
                  {block.part} {block.block}
                </th>
                {block.norms.map((norm, at) => (
                  <td key={names[at]}>{shown(norm)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </details>
      {notes.map((note) => (
        <p key={note} className="soft">
          {note}
        </p>
      ))}
    </div>
  );
}

function Head({ names, first }: { names: string[]; first: string }) {
  return (
    <thead>
      <tr>
        <th scope="col">{first}</th>
        {names.map((name) => (
          <th key={name} scope="col">
            {name}
          </th>
        ))}
      </tr>
    </thead>
  );
}
