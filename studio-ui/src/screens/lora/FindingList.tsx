import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { SIGNS } from "../../components/severity";
import classes from "./Lora.module.css";

type Finding = Shape<"FindingView">;

/** What is wrong or odd with a file; `sound` is said where there is nothing. */
export function FindingList({ findings, sound }: { findings: unknown; sound?: string }) {
  const { t } = useTranslation("train");
  const found = Array.isArray(findings) ? (findings as Finding[]) : [];
  if (found.length === 0) return sound ? <p role="status">{sound}</p> : null;
  return (
    <ul className={classes.findings}>
      {found.map((finding) => (
        <li key={finding.code + finding.message} data-severity={finding.severity}>
          <span role="img" aria-label={t(finding.severity)}>
            {SIGNS[finding.severity]}
          </span>
          <div>
            <p>{finding.message}</p>
            {finding.why && <p className="soft small">{finding.why}</p>}
            {finding.fix && <p className="small">{finding.fix.words}</p>}
          </div>
        </li>
      ))}
    </ul>
  );
}
