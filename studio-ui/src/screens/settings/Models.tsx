import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { PackageOpen } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api, ask } from "../../api/client";
import { useGet } from "../../api/queries";
import { EmptyState } from "../../components/EmptyState";
import { JobProgress } from "../../components/jobs/JobProgress";
import { Loaded } from "../../components/Loaded";
import { sayProblem } from "../../components/say";
import { AddModel } from "./AddModel";
import { ModelCard } from "./ModelCard";
import classes from "./Models.module.css";
import { downloadsOf, modelsChanged, sourceOf } from "./models";
import type { ModelKind } from "./sections";
import { TagLists } from "./TagLists";

/** Download once more; what came before is kept. The answer comes as an event. */
function again(job: number): void {
  ask(api.POST("/api/jobs/{job}:{verb}", { params: { path: { job, verb: "retry" } } })).catch(sayProblem);
}

/** The models of one kind: those that there are, those that are being downloaded, and where another one is added. */
export function Models({ kind }: { kind: ModelKind }) {
  const { t } = useTranslation("settings");
  const client = useQueryClient();
  const models = useGet("/api/models", { query: { kind } });
  const { data: jobs } = useGet("/api/jobs");
  const coming = downloadsOf(jobs ?? [], kind);
  return (
    <div className={classes.models}>
      <p className="soft">{t(`${kind}_is`)}</p>
      <AddModel kind={kind} onAdded={() => modelsChanged(client)} />
      {coming.map((job) => (
        <article key={job.id} className={classes.card}>
          <strong className={classes.source}>{sourceOf(job)}</strong>
          <JobProgress job={job} />
          {job.state === "failed" && (
            <Button size="compact-sm" variant="default" className={classes.again} onClick={() => again(job.id)}>
              {t("frame:again")}
            </Button>
          )}
        </article>
      ))}
      <Loaded of={models} height={120}>
        {(all) =>
          all.length === 0 && coming.length === 0 ? (
            <EmptyState icon={<PackageOpen size={32} />}>{t(`no_${kind}`)}</EmptyState>
          ) : (
            <ul className={classes.list}>
              {all.map((model) => (
                <li key={model.source}>
                  <ModelCard model={model} onRemoved={() => modelsChanged(client)} />
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      {kind === "vocabulary" && <TagLists />}
    </div>
  );
}
