import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { FindingCard } from "../../components/FindingCard";
import type { Json } from "../../components/fields/json";
import { settingChangesOf } from "../../components/settingChanges";
import classes from "./Proof.module.css";
import type { ProofProps } from "./RunProof";

/** What was seen, what it means, and what to change next time: a click puts the change into a new training. */
export function Advice({ run, proof }: ProofProps) {
  const { t } = useTranslation("proof");
  const [, go] = useLocation();

  function trainWith(changes: Record<string, Json>): void {
    const query = new URLSearchParams({ from: run.id, with: JSON.stringify(changes) });
    go(`/projects/${encodeURIComponent(run.project)}/train?${query}`);
  }

  return (
    <ul className={classes.advice}>
      {proof.findings.map((finding) => {
        const changes = settingChangesOf(finding);
        return (
          <li key={finding.code}>
            <FindingCard finding={finding}>
              {changes && run.project && (
                <Button size="xs" variant="default" onClick={() => trainWith(changes)}>
                  {t("train_with", { changes: inWords(changes) })}
                </Button>
              )}
            </FindingCard>
          </li>
        );
      })}
    </ul>
  );
}

function inWords(changes: Record<string, Json>): string {
  return Object.entries(changes)
    .map(([setting, value]) => `${setting} = ${JSON.stringify(value)}`)
    .join(", ");
}
