import { useTranslation } from "react-i18next";
import type { Job } from "../../components/jobs/useJob";
import { FOLDER, type Picture } from "./drawing";
import classes from "./Playground.module.css";

const MOST = 24;

/** Pictures that were generated before; a click brings their prompt and seed back. */
export function Earlier({ jobs, onChoose }: { jobs: Job[]; onChoose: (changed: Partial<Picture>) => void }) {
  const { t } = useTranslation("playground");
  const made = jobs
    .filter((job) => job.kind === "sample" && job.state === "done" && String(job.arguments.out).startsWith(`${FOLDER}/`))
    .sort((one, other) => other.id - one.id)
    .slice(0, MOST);
  if (made.length === 0) return null;
  return (
    <section>
      <h2>{t("earlier")}</h2>
      <ul className={classes.earlier}>
        {made.map((job) => {
          const prompt = String((job.arguments.prompts as string[] | undefined)?.[0] ?? "");
          const seed = Number(job.arguments.seed ?? 1);
          return (
            <li key={job.id}>
              <button
                type="button"
                title={prompt}
                aria-label={t("again_with", { prompt, seed })}
                onClick={() => onChoose({ prompt, seed })}
              >
                <img src={`/files/jobs/${job.id}/pictures`} alt="" loading="lazy" />
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
