import { useDebouncedValue } from "@mantine/hooks";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { type SetStateAction, useEffect, useMemo, useState } from "react";
import { api, ask, type Shape } from "../../../api/client";
import type { Problem } from "../../../api/problem";
import { useGet } from "../../../api/queries";
import { useDraft } from "../../../state/draft";
import { folderOf, freeName } from "../names";
import type { Tree } from "../tree";
import type { Training } from "../useTraining";
import { NEW_SWEEP, type SweepDraft, sweepOf } from "./vary";

const AFTER_TYPING = 500; // milliseconds
const BETWEEN_LOOKS = 2000; // milliseconds, until an estimate is known

/** A sweep that is put together: as it was typed, as its file says it, and what it will be. */
export interface SweepToBe {
  draft: SweepDraft;
  change: (next: SetStateAction<SweepDraft>) => void;
  /** What its file says, with the name that is free. */
  sweep: Tree;
  folder: string;
  plan?: Shape<"SweepPlanView">;
  estimate?: Shape<"SweepEstimateView">;
  problem?: Problem;
  stale: boolean;
}

type Asked = { sweep: Tree; ray: string | null };

/** The question for the plan of a sweep; answered once for the same one. */
export function sweepPlanOf(asked: Asked) {
  return queryOptions<Shape<"SweepPlanView">, Problem>({
    queryKey: ["/api/sweep-plans", asked],
    queryFn: ({ signal }) => ask(api.POST("/api/sweep-plans", { body: asked, signal })),
  });
}

export function useSweep(project: string, training: Training): SweepToBe {
  const [draft, change] = useDraft<SweepDraft>(`sweep:${project}`, NEW_SWEEP);
  const name = draft.name || freeName(`${String(training.settings.name)}-sweep`, training.taken);
  const sweep = useMemo(() => sweepOf(draft, folderOf(name), training.settings), [draft, name, training.settings]);
  const asking = useMemo(() => ({ question: { sweep, ray: draft.ray || null }, varies: draft.rows.length > 0 }), [sweep, draft]);
  const [asked] = useDebouncedValue(asking, AFTER_TYPING);
  const { data, error, isFetching } = useQuery({ ...sweepPlanOf(asked.question), enabled: asked.varies });
  const [last, keep] = useState<Shape<"SweepPlanView">>();
  useEffect(() => {
    if (data) keep(data);
  }, [data]);
  const plan = draft.rows.length === 0 ? undefined : (data ?? last);
  const estimate = useEstimate(plan);
  const problem = draft.rows.length === 0 ? undefined : (error ?? undefined);
  return { draft, change, sweep, folder: folderOf(name), plan, estimate, problem, stale: isFetching || asked !== asking || error !== null };
}

function useEstimate(plan: Shape<"SweepPlanView"> | undefined): Shape<"SweepEstimateView"> | undefined {
  const waits = plan?.estimate.state === "estimating";
  const { data } = useGet(
    "/api/sweep-plans/{id}/estimate",
    { path: { id: plan?.id ?? "" } },
    {
      enabled: waits,
      refetchInterval: ({ state }) => (state.data === undefined || state.data.state === "estimating" ? BETWEEN_LOOKS : false),
    },
  );
  return waits ? (data ?? plan.estimate) : plan?.estimate;
}
