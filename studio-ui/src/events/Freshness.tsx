import { useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import type { Shape } from "../api/client";
import { keyOf, lookAgain } from "../api/queries";
import { useNews } from "./news";
import type { Told } from "./stream";

/** Keeps what is shown fresh: each event changes, or fetches again, what it is about. */
export function Freshness(): null {
  const client = useQueryClient();
  useNews(
    useCallback(
      (message: Told) => {
        if (message.topic === "reset") client.invalidateQueries();
        if (message.topic === "hello") lookAgain(client, "/api/jobs", "/api/runs"); // what changed before this tab was listening
        if (message.topic === "dataset") {
          lookAgain(
            client,
            "/api/projects/{project}",
            "/api/projects/{project}/pictures",
            "/api/projects/{project}/tags",
            "/api/projects/{project}/audit",
            "/api/projects/{project}/history",
            "/api/projects/{project}/advice",
            "/api/projects/{project}/conversions",
            "/api/projects/{project}/trigger",
            "/api/projects/{project}/captions/{caption}",
          );
          lookAgain(client, "/api/projects");
        }
        if (message.topic === "library") lookAgain(client, "/api/library");
        if (message.topic === "system") lookAgain(client, "/api/system");
        if (message.topic === "run" && message.data.events === undefined) lookAgain(client, "/api/runs", "/api/sweeps");
        if (message.topic === "job") {
          const job = message.data as unknown as Shape<"JobView">;
          client.setQueryData<Shape<"JobView">[]>(keyOf("/api/jobs"), (jobs) => jobs && putJob(jobs, job));
          if (client.isFetching({ queryKey: keyOf("/api/jobs") })) lookAgain(client, "/api/jobs"); // what is on its way may be older
          if (job.ended) {
            lookAgain(client, "/api/projects", "/api/projects/{project}", "/api/runs", "/api/runs/{run}");
            lookAgain(client, "/api/library", "/api/library/place"); // a name may be taken now
            lookAgain(client, "/api/sweeps", "/api/sweeps/{sweep}");
            if (job.kind === "download") lookAgain(client, "/api/models", "/api/bases", "/api/taggers", "/api/vocabularies");
          }
        }
      },
      [client],
    ),
  );
  return null;
}

/** The jobs with one in its new state; a new one comes last. */
export function putJob(jobs: Shape<"JobView">[], job: Shape<"JobView">): Shape<"JobView">[] {
  return jobs.some((other) => other.id === job.id) ? jobs.map((other) => (other.id === job.id ? job : other)) : [...jobs, job];
}
