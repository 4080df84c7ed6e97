import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef } from "react";
import type { Shape } from "../../api/client";
import { keyOf } from "../../api/queries";
import { continued } from "../../components/curve/series";
import { useNews, useWatch } from "../../events/news";
import type { Told } from "../../events/stream";
import { curveOf, fetchCurve } from "./curveOf";

type Curve = Shape<"CurveView">;

const EVERY = 1000; // milliseconds between two looks at a run that goes on

/** A run's curve, which grows while the run goes on: its events say that there is more, and only what is new is fetched. */
export function useCurve(run: string) {
  const client = useQueryClient();
  const asked = curveOf(run);
  const key = asked.queryKey;
  const curve = useQuery<Curve, never>(asked);
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined);
  useWatch(curve.data ? [`run:${run}@${curve.data.offset}`] : []);
  useEffect(() => () => clearTimeout(waiting.current), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` is made of the run
  const heard = useCallback(
    (message: Told) => {
      if (message.topic !== "run" || message.data.run !== run) return;
      const events = message.data.events ?? [];
      if (events.some((event) => event.event === "Resumed")) {
        client.invalidateQueries({ queryKey: key }); // later steps were taken back
        return;
      }
      if (events.some((event) => event.event === "SampleReady"))
        client.invalidateQueries({ queryKey: keyOf("/api/runs/{run}/samples", { path: { run } }) });
      waiting.current ??= setTimeout(async () => {
        waiting.current = undefined;
        const known = client.getQueryData<Curve>(key);
        if (!known) return;
        const more = await fetchCurve(run, lastStep(known)).catch(() => undefined);
        if (more) client.setQueryData<Curve>(key, (now) => now && { offset: now.offset, series: withMore(now, more) });
        client.invalidateQueries({ queryKey: keyOf("/api/runs/{run}", { path: { run } }) });
      }, EVERY);
    },
    [client, run],
  );
  useNews(heard);
  return curve;
}

function lastStep(curve: Curve): number {
  return Math.max(0, ...Object.values(curve.series).map((series) => series.steps.at(-1) ?? 0));
}

function withMore(known: Curve, more: Curve): Curve["series"] {
  const grown = { ...known.series };
  for (const [name, series] of Object.entries(more.series)) grown[name] = continued(grown[name], series);
  return grown;
}
