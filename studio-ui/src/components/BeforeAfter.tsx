import { useState } from "react";
import { useTranslation } from "react-i18next";
import classes from "./BeforeAfter.module.css";
import { StudioImage } from "./image/StudioImage";

/** Two pictures over each other; the slider says how much of which is seen. */
export function BeforeAfter({ before, after }: { before: string; after: string }) {
  const { t } = useTranslation("gallery");
  const [share, setShare] = useState(50);
  return (
    <div className={classes.pair} style={{ "--share": `${share}%` } as React.CSSProperties}>
      <StudioImage src={after} alt={t("after")} draggable={false} />
      <StudioImage src={before} alt={t("before")} draggable={false} className={classes.before} />
      <span className={classes.left} aria-hidden>
        {t("before")}
      </span>
      <span className={classes.right} aria-hidden>
        {t("after")}
      </span>
      <i className={classes.line} aria-hidden />
      <input
        type="range"
        min={0}
        max={100}
        value={share}
        onChange={(event) => setShare(event.currentTarget.valueAsNumber)}
        aria-label={t("before_after")}
      />
    </div>
  );
}
