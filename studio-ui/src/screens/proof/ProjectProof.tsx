import { Button } from "@mantine/core";
import { Trophy } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link, Redirect } from "wouter";
import { useGet } from "../../api/queries";
import { EmptyState } from "../../components/EmptyState";
import { Loaded } from "../../components/Loaded";
import { useAddressPart } from "../../state/address";
import classes from "./Proof.module.css";

/** A project's proof: that of its latest run which is proven, or else which has files to prove. */
export default function ProjectProof() {
  const { t } = useTranslation("proof");
  const project = useAddressPart("project");
  const runs = useGet("/api/runs", { query: { project } });
  return (
    <div className={classes.screen}>
      <Loaded of={runs} height={160}>
        {(all) => {
          const run = all.find((one) => one.verdict) ?? all.find((one) => one.checkpoints > 0);
          return run ? (
            <Redirect to={`/runs/${encodeURIComponent(run.id)}/proof`} replace />
          ) : (
            <EmptyState
              icon={<Trophy size={32} />}
              action={
                <Button component={Link} href={`/projects/${encodeURIComponent(project)}/train`}>
                  {t("frame:train")}
                </Button>
              }
            >
              {t("no_run")}
            </EmptyState>
          );
        }}
      </Loaded>
    </div>
  );
}
