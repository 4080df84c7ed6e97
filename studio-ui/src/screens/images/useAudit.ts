import { keepPreviousData, type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { api, ask } from "../../api/client";
import { lookAgain, useGet } from "../../api/queries";
import { DETAILS, type pageOf } from "../../components/gallery/pictureList";
import { sayProblem } from "../../components/say";
import { hasEnded } from "../../frame/job";
import { auditArguments } from "./auditArguments";
import { lastJob, looksAtPictures, mayFollow } from "./lastJob";
import { useResolution } from "./useResolution";

const AGAIN_AFTER = 1500; // milliseconds, while pictures are being looked at
const AGAIN_WITH_JOB = 10_000; // the same, while a job looks at them: each answer judges all
const FEW = 200; // pictures that are looked at by asking again and again; more take a job

/** What is wrong with the pictures. Those that were not looked at are, while the screen is shown: by a job where they are many; `failed` is one
 * that did not end well, after which a person decides. */
export function useAudit(project: string, hasPictures: boolean) {
  const client = useQueryClient();
  const [resolution] = useResolution();
  const { data: jobs } = useGet("/api/jobs");
  const auditing = jobs?.some((job) => job.project === project && job.kind === "audit" && !hasEnded(job));
  const audit = useGet(
    "/api/projects/{project}/audit",
    { path: { project }, query: { resolution } },
    {
      enabled: hasPictures,
      placeholderData: keepPreviousData,
      refetchInterval: ({ state }) => againAfter(state.data?.not_looked_at ?? 0, auditing ? state.data?.words_unread : 0),
    },
  );
  const { data: details } = useGet("/api/projects/{project}", { path: { project } });

  const left = audit.data?.not_looked_at ?? 0;
  const arguments_ = JSON.stringify(details && audit.data ? auditArguments(details, audit.data.resolution) : {});
  const latest = lastJob(jobs, project, looksAtPictures);
  const wanted = left > FEW && auditing === false && details !== undefined && mayFollow(latest);
  const state = `${project} ${audit.data?.version} ${arguments_}`;
  const askedFor = useRef("");
  useEffect(() => {
    if (!wanted || askedFor.current === state) return; // one job is enough for the pictures as they are
    askedFor.current = state;
    const body = { kind: "audit", project, arguments: JSON.parse(arguments_), priority: 0 };
    ask(api.POST("/api/jobs", { body }))
      .then(() => lookAgain(client, "/api/jobs"))
      .catch(sayProblem);
  }, [wanted, state, project, arguments_, client]);

  const went = useRef(auditing);
  useEffect(() => {
    if (went.current && auditing === false) lookAgain(client, "/api/projects/{project}/audit"); // with all that the job has seen
    went.current = auditing;
  }, [auditing, client]);

  const judged = audit.data;
  useEffect(() => {
    if (judged) lookAtPages(client, judged.version); // badges are what an audit has found
  }, [judged, client]);
  const before = useRef(left);
  useEffect(() => {
    if (before.current === left) return;
    before.current = left;
    lookAgain(client, "/api/projects/{project}/duplicates"); // more pictures were looked at
  }, [left, client]);
  return { audit, failed: left > FEW && auditing === false && !mayFollow(latest) ? latest : undefined };
}

/** Fetch the pages of this version again; those of another one would be refused. */
function lookAtPages(client: QueryClient, version: string) {
  return client.invalidateQueries({
    queryKey: [DETAILS],
    predicate: ({ queryKey }) => (queryKey[1] as ReturnType<typeof pageOf>).query.version === version,
  });
}

function againAfter(left: number, unread = 0): number | false {
  if (left === 0) return unread > 0 && AGAIN_WITH_JOB;
  return left > FEW ? AGAIN_WITH_JOB : AGAIN_AFTER;
}
