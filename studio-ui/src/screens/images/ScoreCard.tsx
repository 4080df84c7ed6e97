import { NativeSelect } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { number } from "../../components/format";
import classes from "./SideList.module.css";
import { useResolution } from "./useResolution";

const RESOLUTIONS = [512, 768, 1024, 1280, 1536, 2048]; // that bases are trained at

/** How fit the set is for training, of 100 points, and what points were lost for. */
export function ScoreCard({ audit }: { audit: Shape<"AuditView"> }) {
  const { t } = useTranslation("images");
  const [resolution, judgeFor] = useResolution();
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
      <details>
        <summary className="soft small">{t("expert")}</summary>
        <NativeSelect
          size="xs"
          label={t("judge_for")}
          value={resolution ?? ""}
          onChange={(event) => judgeFor(Number(event.currentTarget.value) || undefined)}
          data={[
            { value: "", label: t("as_base") },
            ...RESOLUTIONS.map((pixels) => ({ value: String(pixels), label: t("pixels", { pixels }) })),
          ]}
        />
      </details>
    </section>
  );
}
