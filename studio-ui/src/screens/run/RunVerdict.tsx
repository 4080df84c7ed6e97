import { Button } from "@mantine/core";
import { Trophy } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { Shape } from "../../api/client";
import { useTold } from "../../words/told";
import classes from "./Run.module.css";

/** What the run's proof says, with a link to it, or that there is none yet. Empty while there is no file to prove. */
export function RunVerdict({ run }: { run: Shape<"RunFacts"> }) {
  const { t } = useTranslation("runs");
  const { told } = useTold();
  if (!run.verdict && run.checkpoints === 0) return null;
  const judging = run.state === "judging";
  return (
    <div className={`panel ${classes.verdict}`}>
      <p>{told(run.verdict, run.said) || t(judging ? "judging" : "not_proven")}</p>
      <Button
        component={Link}
        href={`/runs/${encodeURIComponent(run.id)}/proof`}
        leftSection={<Trophy size={16} aria-hidden />}
        variant={run.verdict ? "filled" : "default"}
      >
        {t(run.verdict || judging ? "see_proof" : "prove")}
      </Button>
    </div>
  );
}
