import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import classes from "./Run.module.css";

const LINES = 12;

/** The last lines that a job printed before it ended; nothing where it printed none. */
export function LastWords({ job }: { job: number }) {
  const { t } = useTranslation("runs");
  const { data } = useGet("/api/jobs/{job}/log", { path: { job }, query: { count: LINES } });
  if (!data || data.lines.length === 0) return null;
  return (
    <section aria-label={t("last_words")}>
      <h2>{t("last_words")}</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard */}
      <pre className={classes.log} tabIndex={0}>
        {data.lines.join("\n")}
      </pre>
    </section>
  );
}
