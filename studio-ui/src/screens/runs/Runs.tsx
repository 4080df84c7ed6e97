import { Button, Group } from "@mantine/core";
import { Activity } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useGet } from "../../api/queries";
import { EmptyState } from "../../components/EmptyState";
import { Loaded } from "../../components/Loaded";
import { useProjectId } from "../../frame/project";
import { decoded, useAddress } from "../../state/address";
import { Compare } from "./Compare";
import { Queue } from "./Queue";
import classes from "./Runs.module.css";
import { RunTable } from "./RunTable";

const MOST_COMPARED = 6; // as many as there are colours

/** What waits and runs, all runs of the workspace, and several of them side by side. */
export default function Runs() {
  const { t } = useTranslation("runs");
  const runs = useGet("/api/runs");
  const sweeps = useGet("/api/sweeps");
  const project = useProjectId();
  const [compared, compare] = useAddress("compare");
  const [chosen, choose] = useState<string[]>(() => idsIn(compared));
  const ids = idsIn(compared).slice(0, MOST_COMPARED);
  return (
    <div className={classes.screen}>
      <Group justify="space-between">
        <h1>{t("title")}</h1>
        {ids.length > 1 ? (
          <Button variant="default" onClick={() => compare("")}>
            {t("all_runs")}
          </Button>
        ) : (
          <Button variant="default" disabled={chosen.length < 2} onClick={() => compare(withCommas(chosen.slice(0, MOST_COMPARED)))}>
            {chosen.length < 2 ? t("compare_none") : t("compare", { count: chosen.length })}
          </Button>
        )}
      </Group>
      {ids.length > 1 ? (
        <Compare ids={ids} />
      ) : (
        <>
          <Queue />
          <Loaded of={runs} height={240}>
            {(all) =>
              all.length === 0 && !sweeps.data?.length ? (
                <EmptyState
                  icon={<Activity size={32} />}
                  action={
                    <Button component={Link} href={project ? `/projects/${encodeURIComponent(project)}/train` : "/"}>
                      {t(project ? "frame:train" : "frame:to_home")}
                    </Button>
                  }
                >
                  {t("no_runs")}
                </EmptyState>
              ) : (
                <RunTable runs={all} sweeps={sweeps.data ?? []} chosen={chosen} onChoose={choose} />
              )
            }
          </Loaded>
        </>
      )}
    </div>
  );
}

/** Ids as the address has them: a name may have a comma in it. */
function withCommas(ids: readonly string[]): string {
  return ids.map(encodeURIComponent).join(",");
}

function idsIn(address: string): string[] {
  return address.split(",").filter(Boolean).map(decoded);
}
