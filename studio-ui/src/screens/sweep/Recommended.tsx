import { Button, Group } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { BookmarkCheck, BookmarkPlus, Trophy, Zap } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, ask, type Shape } from "../../api/client";
import { lookAgain } from "../../api/queries";
import { Sentence } from "../../components/Sentence";
import { say, sayProblem } from "../../components/say";
import { useTold } from "../../words/told";
import { trainWith } from "../run/trainWith";
import classes from "./Sweep.module.css";

type Sweep = Shape<"SweepFacts">;

/** Which trial to use, in the sweep's own sentences, and what can be done with it. */
export function Recommended({ sweep }: { sweep: Sweep }) {
  const { t } = useTranslation("sweeps");
  const best = sweep.rows.find((row) => row.recommended);
  const { told } = useTold();
  const shown = best && sweep.rows.some((row) => row.as_good) ? 2 : 1;
  const said = sweep.sentences.slice(0, shown).map((english, at) => told(english, sweep.said[at]));
  const open = sweep.state !== "finished" && sweep.state !== "unreadable";
  return (
    <section className={`panel ${classes.recommended}`} data-found={best !== undefined || undefined} aria-label={t("recommended_title")}>
      <div aria-live="polite">
        {said.map((sentence, at) => (
          <p key={sentence} className={at === 0 ? classes.sentence : undefined}>
            <Sentence>{sentence}</Sentence>
          </p>
        ))}
        {open && (
          <p className="soft small">
            {sweep.rows.some((row) => row.verdict.length > 0) && t("so_far")} {t(`goes_on_${sweep.state}`)}
          </p>
        )}
      </div>
      {best?.run && <Uses sweep={sweep} run={best.run} file={best.file} inFull={best.number === null} />}
    </section>
  );
}

function Uses({ sweep, run, file, inFull }: { sweep: Sweep; run: string; file: string | null; inFull: boolean }) {
  const { t } = useTranslation("sweeps");
  const client = useQueryClient();
  const keep = useMutation({
    mutationFn: (file: string) => ask(api.POST("/api/runs/{run}/keep", { params: { path: { run } }, body: { file, name: sweep.name } })),
    onSuccess: () => {
      say(t("proof:kept"));
      return lookAgain(client, "/api/library", "/api/runs/{run}/proof");
    },
    onError: sayProblem,
  });
  const length = inFull || sweep.share === 1 ? {} : sweep.length;
  return (
    <Group gap="sm">
      {file && (
        <Button
          leftSection={keep.isSuccess ? <BookmarkCheck size={16} aria-hidden /> : <BookmarkPlus size={16} aria-hidden />}
          loading={keep.isPending}
          disabled={keep.isSuccess}
          onClick={() => keep.mutate(file)}
        >
          {t(keep.isSuccess ? "proof:is_kept" : "keep")}
        </Button>
      )}
      <Button
        component={Link}
        href={`/runs/${encodeURIComponent(run)}/proof`}
        variant="default"
        leftSection={<Trophy size={16} aria-hidden />}
      >
        {t("runs:see_proof")}
      </Button>
      {sweep.project && (
        <Button
          component={Link}
          href={trainWith({ id: run, project: sweep.project }, length as never)}
          variant="default"
          leftSection={<Zap size={16} aria-hidden />}
        >
          {t("train_from")}
        </Button>
      )}
    </Group>
  );
}
