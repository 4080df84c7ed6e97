import { useTranslation } from "react-i18next";
import { StudioImage } from "../../components/image/StudioImage";
import type { Job } from "../../components/jobs/useJob";
import { askedFor, FOLDER } from "./drawing";
import classes from "./Playground.module.css";

const MOST = 24;

/** Pictures that were generated before; a click brings one back with all that it was asked for. */
export function Earlier({ jobs, onChoose, onGone }: { jobs: Job[]; onChoose: (job: Job) => void; onGone: (job: Job) => void }) {
  const { t } = useTranslation("playground");
  const made = jobs
    .filter((job) => job.kind === "sample" && job.state === "done" && String(job.arguments.out).startsWith(`${FOLDER}/`))
    .sort((one, other) => other.id - one.id)
    .filter((job, at, all) => all.findIndex(({ arguments: { out } }) => out === job.arguments.out) === at) // generated again: once
    .slice(0, MOST);
  if (made.length === 0) return null;
  return (
    <section>
      <h2>{t("earlier")}</h2>
      <ul className={classes.earlier}>
        {made.map((job) => {
          const { prompt, seed } = askedFor(job.arguments).picture;
          return (
            <li key={job.id}>
              <button type="button" title={prompt} aria-label={t("again_with", { prompt, seed })} onClick={() => onChoose(job)}>
                <StudioImage src={`/files/jobs/${job.id}/pictures`} alt="" loading="lazy" onGone={() => onGone(job)} />
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
