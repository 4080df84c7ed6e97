import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { ErrorCard } from "../../components/ErrorCard";
import { Loaded } from "../../components/Loaded";
import { useAddressPart } from "../../state/address";
import { RunGone } from "../run/RunGone";
import classes from "./Proof.module.css";
import { RunProof } from "./RunProof";
import { Unproven } from "./Unproven";

/** Whether a run's LoRA is good, which file and weight to use, how one knows, and what to change next time. */
export default function Proof() {
  const { t } = useTranslation("proof");
  const id = useAddressPart("run");
  const run = useGet("/api/runs/{run}", { path: { run: id } });
  const proof = useGet("/api/runs/{run}/proof", { path: { run: id } }, { enabled: run.data !== undefined });
  const unproven = proof.error?.code === "proof.not_found";
  return (
    <div className={classes.screen}>
      <h1>{t("title", { run: run.data?.name ?? id })}</h1>
      <Loaded of={run} height={160} gone={(problem) => <RunGone problem={problem} />}>
        {(facts) => (
          <>
            {unproven && !proof.data && <Unproven run={facts} onProven={() => proof.refetch()} />}
            {proof.error && !unproven && <ErrorCard problem={proof.error} onAgain={() => proof.refetch()} />}
            {proof.data && <RunProof run={facts} proof={proof.data} />}
          </>
        )}
      </Loaded>
    </div>
  );
}
