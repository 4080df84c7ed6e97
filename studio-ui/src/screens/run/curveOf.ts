import { api, ask, type Shape } from "../../api/client";
import { keyOf } from "../../api/queries";

/** A run's curve, as a query; what comes later is added to it (useCurve.ts). */
export function curveOf(run: string) {
  return {
    queryKey: keyOf("/api/runs/{run}/curve", { path: { run } }),
    queryFn: () => fetchCurve(run),
    staleTime: Number.POSITIVE_INFINITY,
  };
}

/** The curve from a step on. */
export function fetchCurve(run: string, from = 0): Promise<Shape<"CurveView">> {
  return ask(api.GET("/api/runs/{run}/curve", { params: { path: { run }, query: { from } } }));
}
