import { useTranslation } from "react-i18next";
import type { Problem } from "../../api/problem";
import { NotThere } from "../../components/NotThere";

/** In place of a run that is not there any more. */
export function RunGone({ problem }: { problem: Problem }) {
  const { t } = useTranslation("runs");
  return <NotThere problem={problem} href="/runs" words={t("all_runs")} />;
}
