import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { number } from "../../components/format";
import classes from "./SideList.module.css";

/** How fit the set is for training, of 100 points, and what points were lost for. */
export function ScoreCard({ audit }: { audit: Shape<"AuditView"> }) {
  const { t } = useTranslation("images");
  if (audit.score === null) return null;
  return (
    <section>
      <h2>{t("score")}</h2>
      <div className={classes.score}>
        <strong>{audit.score}</strong>
        <span className="soft">{t("of_100", { resolution: audit.resolution })}</span>
      </div>
      {audit.reasons.length > 0 && (
        <details>
          <summary className="soft small">{t("why_score")}</summary>
          <ul className={classes.reasons}>
            {audit.reasons.map(({ reason, points }) => (
              <li key={reason} className="small">
                {reason}: −{number(points)}
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}
