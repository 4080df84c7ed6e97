import { Button, Group } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { BookmarkCheck, BookmarkPlus, Share2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, ask } from "../../api/client";
import { lookAgain } from "../../api/queries";
import { number } from "../../components/format";
import { HelpLink } from "../../components/HelpLink";
import { say, sayProblem } from "../../components/say";
import { useKeys } from "../../keys/useKeys";
import { useTold } from "../../words/told";
import classes from "./Proof.module.css";
import type { ProofProps } from "./RunProof";

/** What is said where no checkpoint is recommended. */
const CANNOT_TELL = "cannot tell";

/** The verdict in its own sentences, the recommended file, and what can be done with it. */
export function VerdictCard({ run, proof }: ProofProps) {
  const { t } = useTranslation("proof");
  const client = useQueryClient();
  const { told, calledSo } = useTold();
  const [first, ...others] = proof.sentences.map((english, at) => told(english, proof.said[at]));
  const recommended = proof.checkpoints.find((one) => one.file === proof.recommended);
  const isKept = proof.kept !== null;
  const keep = useMutation({
    mutationFn: (file: string) => ask(api.POST("/api/runs/{run}/keep", { params: { path: { run: run.id } }, body: { file } })),
    onSuccess: () => {
      say(t("kept"));
      return lookAgain(client, "/api/library", "/api/runs/{run}/proof");
    },
    onError: sayProblem,
  });
  useKeys({ k: () => (proof.recommended && !isKept ? keep.mutate(proof.recommended) : false) });
  return (
    <section className={`panel ${classes.verdict}`} data-verdict={recommended?.verdict ?? "none"} aria-live="polite">
      <div>
        <p className={classes.sentence}>{first}</p>
        {others.map((sentence) => (
          <p key={sentence}>{sentence}</p>
        ))}
        <p className="soft small">
          {t(proof.held_out ? "compared" : "compared_without", { count: proof.held_out, trained: proof.trained })}
          {proof.weight !== null && ` ${t("best_weight", { weight: number(proof.weight) })}`}{" "}
          <HelpLink kind="verdicts" name={recommended?.verdict ?? CANNOT_TELL} />
        </p>
      </div>
      {proof.recommended && (
        <Group gap="sm">
          <Button
            size="md"
            leftSection={isKept ? <BookmarkCheck size={18} aria-hidden /> : <BookmarkPlus size={18} aria-hidden />}
            loading={keep.isPending}
            disabled={isKept}
            onClick={() => keep.mutate(proof.recommended as string)}
          >
            {isKept ? t("is_kept") : t("keep", { name: recommended && calledSo(recommended.called, recommended.name) })}
          </Button>
          {isKept && (
            <Button component={Link} href="/library" size="md" variant="default" leftSection={<Share2 size={18} aria-hidden />}>
              {t("to_library")}
            </Button>
          )}
        </Group>
      )}
    </section>
  );
}
