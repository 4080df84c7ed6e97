import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { Advice } from "./Advice";
import { Copies } from "./Copies";
import { HeldOut } from "./HeldOut";
import { Numbers } from "./Numbers";
import { Pictures } from "./Pictures";
import { VerdictCard } from "./VerdictCard";

/** What each part of a proof is given. */
export interface ProofProps {
  run: Shape<"RunFacts">;
  proof: Shape<"ProofView">;
}

/** A proof: the verdict first, then what it rests on. */
export function RunProof({ run, proof }: ProofProps) {
  const { t } = useTranslation("proof");
  return (
    <>
      <VerdictCard run={run} proof={proof} />
      <section aria-labelledby="pictures">
        <h2 id="pictures">{t("pictures")}</h2>
        <Pictures run={run} proof={proof} />
      </section>
      {proof.findings.length > 0 && (
        <section aria-labelledby="advice">
          <h2 id="advice">{t("advice")}</h2>
          <Advice run={run} proof={proof} />
        </section>
      )}
      <HeldOut run={run} />
      {proof.copies.length > 0 && (
        <section aria-labelledby="copies">
          <h2 id="copies">{t("copies")}</h2>
          <Copies run={run} proof={proof} />
        </section>
      )}
      <section aria-labelledby="numbers">
        <h2 id="numbers">{t("numbers")}</h2>
        <Numbers run={run} proof={proof} />
      </section>
    </>
  );
}
