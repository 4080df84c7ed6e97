import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { api, ask, type Shape } from "../../api/client";
import { keyOf, useGet } from "../../api/queries";
import { putJob } from "../../events/Freshness";
import type { Json } from "../fields/json";

export type Job = Shape<"JobView">;

/** A job that this page asked for, and how far it is. */
export interface Asked {
  job?: Job;
  /** Why it could not be asked for. */
  problem?: unknown;
  sending: boolean;
  start: (kind: string, values: Record<string, Json>, project?: string) => Promise<Job | undefined>;
}

export function useJob(): Asked {
  const client = useQueryClient();
  const { data: jobs } = useGet("/api/jobs");
  const [id, setId] = useState<number>();
  const [sending, setSending] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  const start = useCallback(
    async (kind: string, values: Record<string, Json>, project = "") => {
      setSending(true);
      setProblem(undefined);
      try {
        const job = await ask(api.POST("/api/jobs", { body: { kind, project, priority: 0, arguments: values } }));
        client.setQueryData<Job[]>(keyOf("/api/jobs"), (known) => putJob(known ?? [], job));
        setId(job.id);
        return job;
      } catch (error) {
        setProblem(error);
        return undefined;
      } finally {
        setSending(false);
      }
    },
    [client],
  );
  return { job: jobs?.find((job) => job.id === id), problem, sending, start };
}
