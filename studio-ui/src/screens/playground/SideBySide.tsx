import { Button, Kbd } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { ImageIcon, Shapes } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask } from "../../api/client";
import { keyOf, useGet } from "../../api/queries";
import { EmptyState } from "../../components/EmptyState";
import { ErrorCard } from "../../components/ErrorCard";
import type { Json } from "../../components/fields/json";
import { StudioImage } from "../../components/image/StudioImage";
import { JobProgress } from "../../components/jobs/JobProgress";
import type { Job } from "../../components/jobs/useJob";
import { putJob } from "../../events/Freshness";
import { hasEnded } from "../../frame/job";
import { useKeys } from "../../keys/useKeys";
import { useDraft } from "../../state/draft";
import { askedFor, baseOf, drawing, FOLDER, folderOf, type LoraAtStrength, type Picture } from "./drawing";
import { Earlier } from "./Earlier";
import classes from "./Playground.module.css";

interface Props {
  picture: Picture;
  loras: LoraAtStrength[];
  /** Whether it is not known yet which LoRAs those are. */
  waits: boolean;
  onAgain: (picture: Picture, loras: LoraAtStrength[]) => void;
}

/** Where the pictures of base and LoRAs are; empty for one that was not asked for. */
interface Shown {
  base: string;
  loras: string;
}

/** The same picture with the base alone and with the LoRAs. What was generated before is not generated again. */
export function SideBySide({ picture, loras, waits, onAgain }: Props) {
  const { t } = useTranslation("playground");
  const client = useQueryClient();
  const [gone, setGone] = useState<readonly number[]>([]);
  const jobs = (useGet("/api/jobs").data ?? []).filter((job) => !gone.includes(job.id));
  const [shown, show] = useDraft<Shown | null>("playground:shown", null);
  const [problem, setProblem] = useState<unknown>();
  const [sending, setSending] = useState(false);
  const ready = picture.base !== "" && picture.prompt.trim() !== "" && !sending && !waits;

  async function draw(asked: Record<string, Json>): Promise<string> {
    const body = { kind: "sample", project: "", priority: 1 };
    const { version } = await ask(api.POST("/api/jobs:reads", { body: { ...body, arguments: { ...asked, out: FOLDER } } }));
    const out = folderOf(asked, version);
    const made = jobOf(jobs, out);
    if (!made || (hasEnded(made) && made.state !== "done")) {
      const job = await ask(api.POST("/api/jobs", { body: { ...body, arguments: { ...asked, out } } }));
      client.setQueryData<Job[]>(keyOf("/api/jobs"), (known) => putJob(known ?? [], job));
    }
    return out;
  }

  async function generate() {
    setSending(true);
    setProblem(undefined);
    try {
      const base = await draw(drawing(picture, []));
      show({ base, loras: loras.length > 0 ? await draw(drawing(picture, loras)) : "" });
    } catch (error) {
      setProblem(error);
    } finally {
      setSending(false);
    }
  }

  /** Somebody has removed the file that a job made: it counts as never made. */
  function forget(job: Job) {
    setGone((before) => [...before, job.id]);
  }

  function showAgain(job: Job) {
    const asked = askedFor(job.arguments);
    const out = String(job.arguments.out);
    onAgain(asked.picture, asked.loras);
    show(asked.loras.length === 0 ? { base: out, loras: "" } : { base: String(baseOf(job, jobs)?.arguments.out ?? ""), loras: out });
  }

  useKeys({ "Ctrl+Enter": () => ready && generate() });
  return (
    <>
      <div className={classes.go}>
        <Button leftSection={<Shapes size={16} aria-hidden />} disabled={!ready} loading={sending} onClick={generate}>
          {t("generate")}
        </Button>
        <Kbd size="xs">Ctrl+Enter</Kbd>
      </div>
      {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
      {shown ? (
        <div className={classes.pair}>
          {shown.base && <Drawn title={t("base")} job={jobOf(jobs, shown.base)} removed={gone.length > 0} onGone={forget} />}
          {shown.loras && <Drawn title={t("with_loras")} job={jobOf(jobs, shown.loras)} removed={gone.length > 0} onGone={forget} />}
        </div>
      ) : (
        <EmptyState icon={<ImageIcon size={32} />}>{t("nothing_yet")}</EmptyState>
      )}
      <Earlier jobs={jobs} onChoose={showAgain} onGone={forget} />
    </>
  );
}

function Drawn({ title, job, removed, onGone }: { title: string; job?: Job; removed: boolean; onGone: (job: Job) => void }) {
  const { t } = useTranslation("playground");
  return (
    <figure className={classes.drawn}>
      <figcaption>{title}</figcaption>
      {job?.state === "done" ? (
        <StudioImage src={`/files/jobs/${job.id}/pictures`} alt={title} onGone={() => onGone(job)} />
      ) : (
        <div className={classes.waiting}>{job ? <JobProgress job={job} /> : removed && <p className="soft small">{t("removed")}</p>}</div>
      )}
    </figure>
  );
}

/** The latest job that generates into a folder. */
function jobOf(jobs: Job[], out: string): Job | undefined {
  return jobs.filter((job) => job.kind === "sample" && job.arguments.out === out).sort((one, other) => other.id - one.id)[0];
}
