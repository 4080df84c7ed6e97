import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { FindingCard } from "../../components/FindingCard";
import { list, number } from "../../components/format";
import { findingName } from "../../components/gallery/pictureLook";
import { SeverityIcon } from "../../components/SeverityIcon";
import classes from "./SideList.module.css";

interface Props {
  audit: Shape<"AuditView">;
  finding: string;
  onFinding: (code: string) => void;
  onSelect: (pictures: readonly string[]) => void;
}

/** What is wrong, the gravest first, with how many pictures have it. A click shows these alone; what is about the set opens. */
export function FindingList({ audit, finding, onFinding, onSelect }: Props) {
  const { t } = useTranslation("images");
  const off = audit.off.length > 0 && (
    <p className="soft small">{t("checks_off", { count: audit.off.length, names: list(audit.off.map(findingName)) })}</p>
  );
  if (audit.codes.length === 0) {
    return (
      <section>
        {audit.not_looked_at === 0 && <p className="soft">{t("nothing_wrong")}</p>}
        {off}
      </section>
    );
  }
  return (
    <section>
      <h2>{t("findings")}</h2>
      <ul className={classes.list}>
        {audit.codes.map(({ code, severity, pictures, of_set }) => (
          <li key={code}>
            {of_set ? (
              <details className={classes.set}>
                <summary className={classes.row}>
                  <SeverityIcon severity={severity} />
                  <span className={classes.name}>{findingName(code)}</span>
                  <span className={classes.number}>{t("set")}</span>
                </summary>
                <FindingCard finding={of_set}>
                  {of_set.subjects.length > 0 && (
                    <Button size="xs" variant="default" onClick={() => onSelect(of_set.subjects)}>
                      {t("select_these", { count: of_set.subjects.length })}
                    </Button>
                  )}
                </FindingCard>
              </details>
            ) : (
              <button
                type="button"
                className={classes.row}
                aria-pressed={code === finding}
                onClick={() => onFinding(code === finding ? "" : code)}
              >
                <SeverityIcon severity={severity} />
                <span className={classes.name}>{findingName(code)}</span>
                <span className={classes.number}>{number(pictures)}</span>
              </button>
            )}
          </li>
        ))}
      </ul>
      {off}
    </section>
  );
}
