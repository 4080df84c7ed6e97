import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { Layers } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { api, ask } from "../../../api/client";
import { ErrorCard } from "../../../components/ErrorCard";
import { folderOf, freeName } from "../names";
import type { Tree } from "../tree";
import type { Training } from "../useTraining";
import { addressOfSweep, startSweep } from "./startSweep";

/** Begins the ready sweep, three rates by two ranks, for who does not know which; or leads to a sweep of one's own. */
export function TryRates({
  project,
  training,
  ready,
  onVary,
}: {
  project: string;
  training: Training;
  ready: boolean;
  onVary: () => void;
}) {
  const { t } = useTranslation("sweeps");
  const [, go] = useLocation();
  const client = useQueryClient();
  const [sending, setSending] = useState(false);
  const [problem, setProblem] = useState<unknown>();

  async function start() {
    setSending(true);
    setProblem(undefined);
    try {
      const { sweep } = await ask(api.POST("/api/sweep-plans:ladder", { body: { settings: training.settings } }));
      const folder = folderOf(freeName(String(sweep.name), training.taken));
      await startSweep(client, project, folder, { ...sweep, name: folder } as Tree, training.ray);
      go(addressOfSweep(project, folder));
    } catch (error) {
      setProblem(error);
    } finally {
      setSending(false);
    }
  }

  return (
    <>
      {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
      <Button
        variant="default"
        fullWidth
        loading={sending}
        disabled={!ready}
        leftSection={<Layers size={16} aria-hidden />}
        onClick={start}
      >
        {t("try_rates")}
      </Button>
      <p className="soft small">
        {t("try_rates_says")}{" "}
        <Button variant="transparent" size="compact-xs" px={0} onClick={onVary}>
          {t("vary")}
        </Button>
      </p>
    </>
  );
}
