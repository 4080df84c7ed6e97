import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { FindingCard } from "../../components/FindingCard";
import type { Json } from "../../components/fields/json";
import { settingChangesOf } from "../../components/settingChanges";
import { trainWith } from "../run/trainWith";
import classes from "./Proof.module.css";
import type { ProofProps } from "./RunProof";

/** What was seen, what it means, and what to change next time: a click puts the change into a new training. */
export function Advice({ run, proof }: ProofProps) {
  const { t } = useTranslation("proof");
  const [, go] = useLocation();

  return (
    <ul className={classes.advice}>
      {proof.findings.map((finding) => {
        const changes = settingChangesOf(finding);
        return (
          <li key={`${finding.code} ${finding.subjects.join()}`}>
            <FindingCard finding={finding}>
              {changes && run.project && (
                <Button size="xs" variant="default" onClick={() => go(trainWith(run, changes))}>
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
