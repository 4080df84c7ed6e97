import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { FindingCard } from "../../components/FindingCard";
import { number } from "../../components/format";
import { findingName } from "../../components/gallery/pictureLook";
import { SeverityIcon } from "../../components/SeverityIcon";
import { grouped } from "./grouped";
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
  const rows = grouped(audit.findings);
  if (audit.findings.length === 0) return audit.not_looked_at > 0 ? null : <p className="soft">{t("nothing_wrong")}</p>;
  return (
    <section>
      <h2>{t("findings")}</h2>
      <ul className={classes.list}>
        {rows.map(({ code, severity, pictures, ofSet }) => (
          <li key={code}>
            {ofSet ? (
              <details className={classes.set}>
                <summary className={classes.row}>
                  <SeverityIcon severity={severity} />
                  <span className={classes.name}>{findingName(code)}</span>
                  <span className={classes.number}>{t("set")}</span>
                </summary>
                <FindingCard finding={ofSet}>
                  {pictures.size > 0 && (
                    <Button size="xs" variant="default" onClick={() => onSelect([...pictures])}>
                      {t("select_these", { count: pictures.size })}
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
                <span className={classes.number}>{number(pictures.size)}</span>
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
