import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import type { Problem } from "../../api/problem";
import { useGet } from "../../api/queries";
import { bytes } from "../../components/format";
import classes from "./BaseChoice.module.css";
import { forecastOf, roomOf } from "./estimate";
import type { Tree } from "./tree";
import { type Estimate, usePlan } from "./usePlan";

/** Whether a training as it is estimated fits the memory; nothing until that is known. */
export function Fits({ estimate }: { estimate: Estimate | undefined }) {
  const { t } = useTranslation("train");
  const { data: system } = useGet("/api/system");
  const { memory } = forecastOf(estimate);
  const room = roomOf(system, undefined);
  if (memory === undefined || room === undefined) return null;
  return memory <= room ? (
    <span className={classes.good}>{t("fits")}</span>
  ) : (
    <span className={classes.bad}>{t("does_not_fit", { needed: bytes(memory), room: bytes(room) })}</span>
  );
}

/** Whether the recipe's training on a base that was not chosen would fit; looked at when all else is `ready`, beside the page. */
export function FitsToo({ project, base, ready }: { project: Shape<"ProjectView">; base: string; ready: boolean }) {
  const { id, level, kind, trigger } = project;
  const start = useQuery<Shape<"StartingSettings">, Problem>({
    queryKey: ["/api/projects/{project}/settings", { id, base, level, kind, trigger }],
    queryFn: () => ask(api.POST("/api/projects/{project}/settings", { params: { path: { project: id }, query: { base } } })),
    enabled: ready,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return start.data ? <PlannedFits settings={start.data.settings as Tree} /> : null;
}

function PlannedFits({ settings }: { settings: Tree }) {
  return <Fits estimate={usePlan(settings).estimate} />;
}
