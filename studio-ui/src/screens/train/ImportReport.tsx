import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import classes from "./ImportDialog.module.css";

type Imported = Shape<"ImportedView">;

/** What became of each option of a file. */
export function ImportReport({ imported }: { imported: Imported }) {
  const { t } = useTranslation("train");
  const { carried, findings, off, form, fault } = imported;
  const changed = carried.filter((each) => each.why);
  const leftOut = findings.filter((finding) => finding.about === "option");
  const others = findings.filter((finding) => finding.about !== "option");
  return (
    <div className={classes.report}>
      <p>
        <strong>{t("import_form", { form })}</strong>
      </p>
      {fault && <p className={classes.fault}>{fault}</p>}
      <Part title={t("import_left_out", { count: leftOut.length })} open>
        {leftOut.map((finding) => (
          <li key={finding.message}>
            <code>{[...finding.subjects, ...finding.details].join(" ")}</code> {finding.why}
          </li>
        ))}
      </Part>
      <Part title={t("import_changed", { count: changed.length })} open>
        {changed.map((each) => (
          <li key={each.ours}>
            <code>{each.theirs}</code> → <code>{`${each.ours} = ${JSON.stringify(each.value)}`}</code> {each.why}
          </li>
        ))}
      </Part>
      <Part title={t("import_carried", { count: carried.length - changed.length })}>
        {carried
          .filter((each) => !each.why)
          .map((each) => (
            <li key={each.ours}>
              <code>{each.theirs}</code> → <code>{`${each.ours} = ${JSON.stringify(each.value)}`}</code>
            </li>
          ))}
      </Part>
      <Part title={t("import_off", { count: off.length })}>
        {off.map((option) => (
          <li key={option}>
            <code>{option}</code>
          </li>
        ))}
      </Part>
      {others.map((finding) => (
        <p key={finding.message} className="small">
          {finding.message} {finding.fix?.words}
        </p>
      ))}
    </div>
  );
}

function Part({ title, open = false, children }: { title: string; open?: boolean; children: React.ReactNode[] }) {
  if (children.length === 0) return null;
  return (
    <details open={open} className={classes.part}>
      <summary>{title}</summary>
      <ul>{children}</ul>
    </details>
  );
}
