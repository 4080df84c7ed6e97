import { Button, Group, Kbd } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { FileDown, Layers } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "wouter";
import { api, ask } from "../../../api/client";
import type { Problem } from "../../../api/problem";
import { ErrorCard } from "../../../components/ErrorCard";
import { bytes, number, roughly } from "../../../components/format";
import { Sentence } from "../../../components/Sentence";
import { useKeys } from "../../../keys/useKeys";
import { useAddress } from "../../../state/address";
import { SweepFile } from "../../sweep/SweepFile";
import panel from "../PlanPanel.module.css";
import bottom from "../StartButtons.module.css";
import type { Training } from "../useTraining";
import { addressOfSweep, startSweep } from "./startSweep";
import { type SweepToBe, sweepPlanOf } from "./useSweep";
import classes from "./Vary.module.css";

interface Props {
  project: string;
  training: Training;
  sweep: SweepToBe;
}

/** What the sweep will be, as it is put together; why it cannot be, before anything begins; and its beginning. */
export function SweepPlan({ project, training, sweep }: Props) {
  const { t } = useTranslation("sweeps");
  const [, go] = useLocation();
  const client = useQueryClient();
  const [dialog, show] = useAddress("dialog");
  const [sending, setSending] = useState(false);
  const [refused, refuse] = useState<unknown>();
  const { draft, folder, plan, estimate, problem, stale } = sweep;
  const ready = plan !== undefined && !problem && !sending && folder !== "" && !training.taken.has(folder);
  const later = estimate?.state === "estimating" ? t("train:estimating") : "–";

  async function start() {
    setSending(true);
    refuse(undefined);
    try {
      await client.fetchQuery(sweepPlanOf({ sweep: sweep.sweep, ray: draft.ray || null })); // what was typed a moment ago
      await startSweep(client, project, folder, sweep.sweep, draft.ray);
      sweep.change((before) => ({ ...before, name: "" })); // the next one has another
      go(addressOfSweep(project, folder));
    } catch (error) {
      refuse(error);
    } finally {
      setSending(false);
    }
  }

  useKeys({ "Ctrl+Enter": () => ready && start() });
  return (
    <>
      <section className={`panel ${panel.panel}`} aria-label={t("plan")}>
        <h2 className={panel.title}>{t("plan")}</h2>
        {draft.rows.length === 0 && <p className="soft">{t("nothing_varies")}</p>}
        {problem && (
          <div className={panel.problem}>
            <ErrorCard key={problem.message} problem={problem} />
          </div>
        )}
        {plan && (
          <div className={stale ? panel.stale : undefined} aria-busy={stale}>
            <dl className={classes.facts}>
              <Fact name={t("trials")} value={number(plan.trials)} more={plan.in_full ? t("then_full") : undefined} />
              <Fact name={t("train:steps")} value={number(plan.steps)} more={t("steps_in_all")} />
              <Fact
                name={t("train:time")}
                value={estimate?.seconds == null ? later : t("train:about", { what: roughly(estimate.seconds) })}
                more={estimate?.seconds == null ? undefined : t(estimate.proofs ? "with_proofs" : "without_proofs")}
              />
              <Fact
                name={t("train:memory")}
                value={estimate?.memory == null ? later : bytes(estimate.memory)}
                more={estimate?.disk == null ? undefined : t("on_disk", { size: bytes(estimate.disk) })}
              />
            </dl>
            {estimate?.devices != null && estimate.devices > 1 && <p className="small">{t("at_once", { count: estimate.devices })}</p>}
            {estimate?.state === "failed" && (
              <p className={panel.failed}>
                <Sentence>{estimate.problem ?? ""}</Sentence>
              </p>
            )}
            {draft.stopEarly && !plan.held_out && (
              <p className="soft small">
                {t("nothing_held_out")} <Link href={`/projects/${encodeURIComponent(project)}/images`}>{t("hold_some_out")}</Link>
              </p>
            )}
            {plan.values.length > 0 && (
              <details>
                <summary>{t("each_trial")}</summary>
                <ol className={classes.values}>
                  {plan.values.map((values) => (
                    <li key={JSON.stringify(values)} className="small">
                      {Object.entries(values)
                        .map(([name, value]) => `${name} ${value}`)
                        .join(", ")}
                    </li>
                  ))}
                </ol>
              </details>
            )}
          </div>
        )}
      </section>
      <div className={bottom.start}>
        {refused !== undefined && <ErrorCard key={String(refused)} problem={refused} />}
        <Button size="md" fullWidth loading={sending} disabled={!ready} leftSection={<Layers size={18} aria-hidden />} onClick={start}>
          {t("start")}
        </Button>
        <Group justify="space-between" gap="xs">
          <Button
            variant="subtle"
            size="xs"
            disabled={plan === undefined || problem !== undefined}
            leftSection={<FileDown size={14} aria-hidden />}
            onClick={() => show("export-sweep")}
          >
            {t("export")}
          </Button>
          <span className="soft small">
            <Kbd size="xs">Ctrl</Kbd> <Kbd size="xs">Enter</Kbd>
          </span>
        </Group>
      </div>
      {dialog === "export-sweep" && <ExportDraft project={project} sweep={sweep} onClose={() => show("")} />}
    </>
  );
}

function ExportDraft({ project, sweep, onClose }: { project: string; sweep: SweepToBe; onClose: () => void }) {
  const file = useQuery<string, Problem>({
    queryKey: ["/api/sweep-plans:toml", sweep.sweep],
    queryFn: () => ask(api.POST("/api/sweep-plans:toml", { body: { sweep: sweep.sweep }, parseAs: "text" })) as Promise<string>,
  });
  const out = `projects/${project}/runs/${sweep.folder}`;
  return <SweepFile name={sweep.folder} out={out} ray={sweep.draft.ray} file={file} onClose={onClose} />;
}

function Fact({ name, value, more }: { name: string; value: string; more?: string }) {
  return (
    <div>
      <dt className="soft small">{name}</dt>
      <dd className={panel.strong}>{value}</dd>
      {more && <dd className="soft small">{more}</dd>}
    </div>
  );
}
