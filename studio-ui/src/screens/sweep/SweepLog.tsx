import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { useGet } from "../../api/queries";
import { Loaded } from "../../components/Loaded";
import run from "../run/Run.module.css";

const LINES = 500;

/** What the job of the sweep printed. */
export function SweepLog({ sweep }: { sweep: Shape<"SweepFacts"> }) {
  const { t } = useTranslation("sweeps");
  const log = useGet(
    "/api/jobs/{job}/log",
    { path: { job: sweep.job ?? 0 }, query: { count: LINES } },
    { enabled: sweep.job !== null, refetchInterval: sweep.state === "running" ? 3000 : false },
  );
  if (sweep.job === null) return <p className="soft">{t("no_job")}</p>;
  return (
    <Loaded of={log} height={200}>
      {({ lines }) => (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
        <section className={run.log} tabIndex={0} aria-label={t("runs:log")}>
          {lines.length ? lines.join("\n") : t("runs:no_log")}
        </section>
      )}
    </Loaded>
  );
}
