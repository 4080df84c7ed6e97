import { useDebouncedValue } from "@mantine/hooks";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, ask, type Shape } from "../../api/client";
import type { Problem } from "../../api/problem";
import { useGet } from "../../api/queries";
import type { Tree } from "./tree";

export type Plan = Shape<"PlanView">;
export type Estimate = Shape<"EstimateView">;

const AFTER_TYPING = 350; // milliseconds
const BETWEEN_LOOKS = 1500; // milliseconds, until an estimate is known

/** What a training with these settings will be: at once its steps and findings, later its time and memory. */
export interface Planned {
  /** The latest plan that could be made; older than the settings while `stale`. */
  plan?: Plan;
  estimate?: Estimate;
  /** Why no plan can be made of the settings as they are. */
  problem?: Problem;
  stale: boolean;
}

/** The question for the plan of settings; answered once for the same ones. */
export function planOf(settings: Tree) {
  return queryOptions<Plan, Problem>({
    queryKey: ["/api/plans", settings],
    queryFn: ({ signal }) => ask(api.POST("/api/plans", { body: { settings }, signal })),
  });
}

export function usePlan(settings: Tree): Planned {
  const [asked] = useDebouncedValue(settings, AFTER_TYPING);
  const { data, error, isFetching } = useQuery(planOf(asked));
  const [last, keep] = useState<Plan>();
  useEffect(() => {
    if (data) keep(data);
  }, [data]);
  const plan = data ?? last;
  const estimate = useEstimate(plan);
  return { plan, estimate, problem: error ?? undefined, stale: isFetching || asked !== settings || error !== null };
}

function useEstimate(plan: Plan | undefined): Estimate | undefined {
  const waits = plan?.estimate.state === "estimating";
  const { data } = useGet(
    "/api/plans/{id}/estimate",
    { path: { id: plan?.id ?? "" } },
    {
      enabled: waits,
      refetchInterval: ({ state }) => (state.data === undefined || state.data.state === "estimating" ? BETWEEN_LOOKS : false),
    },
  );
  return waits ? (data ?? plan.estimate) : plan?.estimate;
}
