import { Button, Group } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import type { Shape } from "../../api/client";
import { SEVERITY_ICONS } from "../../components/findings";
import classes from "./Proof.module.css";
import type { ProofProps } from "./RunProof";

/** What was seen, what it means, and what to change next time: a click puts the change into a new training. */
export function Advice({ run, proof }: ProofProps) {
  return (
    <ul className={classes.advice}>
      {proof.findings.map((finding) => (
        <li key={finding.code}>
          <AdviceCard run={run} finding={finding} />
        </li>
      ))}
    </ul>
  );
}

function AdviceCard({ run, finding }: { run: Shape<"RunFacts">; finding: Shape<"FindingView"> }) {
  const { t } = useTranslation("proof");
  const [, go] = useLocation();
  const Icon = SEVERITY_ICONS[finding.severity];
  const changes = (finding.fix?.changes ?? []).filter((change) => change.kind === "setting");

  function trainAgain(): void {
    const wanted = Object.fromEntries(changes.map((change) => [String(change.setting), change.value]));
    const query = new URLSearchParams({ from: run.id, with: JSON.stringify(wanted) });
    go(`/projects/${encodeURIComponent(run.project)}/train?${query}`);
  }

  return (
    <article className={classes.finding} data-severity={finding.severity}>
      <Icon size={18} aria-hidden />
      <div>
        <p>
          <strong>{finding.message}</strong> {finding.evidence && <span className="soft">{finding.evidence.text}</span>}
        </p>
        {finding.why && <p className="soft">{finding.why}</p>}
        {finding.fix && <p>{finding.fix.words}</p>}
        {changes.length > 0 && run.project && (
          <Group gap="xs" mt={4}>
            <Button size="xs" variant="default" onClick={trainAgain}>
              {t("train_with", { changes: changes.map((change) => `${change.setting} = ${JSON.stringify(change.value)}`).join(", ") })}
            </Button>
          </Group>
        )}
      </div>
    </article>
  );
}
