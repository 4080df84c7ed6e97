import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { api, ask, type Shape } from "../../api/client";
import { Problem } from "../../api/problem";
import { keyOf, lookAgain, useGet } from "../../api/queries";
import type { MendChange } from "../../components/changes";
import { picturesFolder } from "../../components/paths";
import { say, sayProblem } from "../../components/say";
import { sayWithUndo } from "../../components/UndoToast";
import { putJob } from "../../events/Freshness";
import { hasEnded, type Job } from "../../frame/job";
import i18next from "../../words";
import { divideByJob, enlarges } from "./enlarging";
import { lastJob, mendsNamed } from "./lastJob";

/** Pictures, and what is to be done to them. */
export interface Mending {
  pictures: readonly string[];
  changes: readonly MendChange[];
}

/** What a picture is used for. */
export type Use = Omit<Shape<"PicturesChange">, "pictures">;

/** Pictures that could not be mended, when several were to be. */
export interface FailedMend {
  problems: readonly { picture: string; sentence: string }[];
  of: number;
  onAgain: () => void;
  onClose: () => void;
}

export interface PictureChanges {
  busy: boolean;
  failed?: FailedMend;
  /** The latest job that enlarges pictures with a network. */
  job?: Job;
  /** Mend pictures; the answer is what they are called now. What the project's upscaler enlarges takes a job, and changes later. */
  mend: (mendings: readonly Mending[]) => Promise<string[]>;
  /** Put pictures into a concept, with repeats, hold them out or back; the answer is what they are called now. */
  use: (pictures: readonly string[], use: Use) => Promise<string[]>;
  holdOut: (share: number) => Promise<void>;
  /** Put loose pictures into folders, and balance the repeats. */
  layOut: () => Promise<void>;
}

/** What was done, in words, as how many operations of the history. */
interface Done<Result> {
  words: string;
  operations: number;
  result: Result;
}

/** Everything that is done to pictures. It can be undone; what fails is said, and what is shown is looked at again. */
export function usePictureChanges(project: string): PictureChanges {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<FailedMend>();
  const path = { project };

  const refresh = useCallback(
    () =>
      lookAgain(
        client,
        "/api/projects/{project}/pictures",
        "/api/projects/{project}/pictures/{picture}",
        "/api/projects/{project}/audit",
        "/api/projects/{project}/duplicates",
        "/api/projects/{project}/layout",
        "/api/projects/{project}/history",
      ),
    [client],
  );

  const undo = useCallback(
    async (operations: readonly string[]) => {
      try {
        for (const operation of operations)
          await ask(api.POST("/api/projects/{project}/history:undo", { params: { path: { project }, query: { operation } } }));
      } catch (error) {
        sayProblem(error);
      }
      await refresh();
    },
    [project, refresh],
  );

  /** Say what was done and in how many operations, with a button that undoes these and no later ones. */
  const sayDone = useCallback(
    async (words: string, operations: number) => {
      const params = { path: { project } };
      const listed = await ask(api.GET("/api/projects/{project}/history", { params })).catch(() => []);
      const done = listed.filter(({ state }) => state === "done").slice(0, operations);
      if (done.length === 0) say(words);
      else sayWithUndo(words, () => undo(done.map(({ id }) => id)));
    },
    [project, undo],
  );

  const { data: jobs } = useGet("/api/jobs");
  const job = lastJob(jobs, project, mendsNamed);
  const going = useRef<number>(undefined);
  useEffect(() => {
    if (job && !hasEnded(job)) going.current = job.id;
    if (!job || !hasEnded(job) || going.current !== job.id) return;
    going.current = undefined;
    refresh();
    if (job.state === "done") sayEnded(job, sayDone);
  }, [job, refresh, sayDone]);

  /** Do something, say what it was, and offer to take it back. */
  async function change<Result>(call: () => Promise<Done<Result>>, otherwise: Result): Promise<Result> {
    setBusy(true);
    try {
      const { words, operations, result } = await call();
      if (operations > 0) sayDone(words, operations);
      return result;
    } catch (error) {
      sayProblem(error);
      return otherwise;
    } finally {
      setBusy(false);
      refresh();
    }
  }

  async function mend(mendings: readonly Mending[]) {
    const wanted = mendings.filter(({ pictures }) => pictures.length > 0);
    const its = wanted.some(enlarges) ? await ask(api.GET("/api/projects/{project}", { params: { path } })) : undefined;
    const [now, byJob] = divideByJob(wanted, its?.upscaler ?? "");
    const dataset = its && picturesFolder(its);
    const mends = now.map(({ pictures, changes }) => ({ pictures: [...pictures], changes: [...changes] }));
    const mended =
      mends.length > 0 ? await ask(api.POST("/api/projects/{project}/mends:together", { params: { path }, body: { mends } })) : [];
    setFailed(failure(now, mended));
    for (const { pictures, changes } of byJob) {
      const given = { dataset, pictures: [...pictures], changes: [...changes] };
      const added = await ask(api.POST("/api/jobs", { body: { kind: "mend", project, priority: 0, arguments: given } }));
      client.setQueryData<Job[]>(keyOf("/api/jobs"), (known) => putJob(known ?? [], added));
    }
    const done = mended.filter(({ problem }) => !problem);
    if (mended.length + byJob.length === 0) say(i18next.t("images:nothing_to_mend"));
    const words = i18next.t("images:mended", { count: done.length });
    return {
      words,
      operations: done.length > 0 ? 1 : 0,
      result: [...done.flatMap(({ after }) => after), ...byJob.flatMap(({ pictures }) => pictures)],
    };
  }

  /** What could not be mended, with a call that tries it again. */
  function failure(mendings: readonly Mending[], mended: Shape<"MendedView">[]): FailedMend | undefined {
    const problems = mended.flatMap(({ before, problem }) => (problem ? [{ picture: before, sentence: problem }] : []));
    if (problems.length === 0) return undefined;
    const left = new Set(problems.map(({ picture }) => picture));
    const again = mendings.map(({ pictures, changes }) => ({ pictures: pictures.filter((one) => left.has(one)), changes }));
    return {
      problems,
      of: mended.length,
      onAgain: () => change(() => mend(again), []),
      onClose: () => setFailed(undefined),
    };
  }

  async function place(pictures: readonly string[], wanted: Use) {
    const body = { pictures: [...pictures], ...wanted };
    const { moves } = await ask(api.PATCH("/api/projects/{project}/pictures", { params: { path }, body }));
    return after(pictures, moves);
  }

  async function layOutNow() {
    const { moves } = await ask(api.PUT("/api/projects/{project}/layout", { params: { path, query: { dry: false } }, body: BALANCED }));
    return moves;
  }

  /** Loose pictures are put into folders first, for beside those they would not be trained on. */
  async function use(pictures: readonly string[], wanted: Use) {
    const words = i18next.t("images:moved", { count: pictures.length });
    try {
      return { words, operations: 1, result: await place(pictures, wanted) };
    } catch (error) {
      if (!(error instanceof Problem && error.code === "place.not_laid_out")) throw error;
      const moves = await layOutNow();
      return { words, operations: 2, result: await place(after(pictures, moves), wanted) };
    }
  }

  async function holdOut(share: number) {
    const { moves } = await ask(
      api.PUT("/api/projects/{project}/holdout", { params: { path, query: { dry: false } }, body: { share, seed: 0 } }),
    );
    return { words: i18next.t("images:holding_out", { count: moves.length }), operations: moves.length > 0 ? 1 : 0, result: undefined };
  }

  async function layOut() {
    const moves = await layOutNow();
    return { words: i18next.t("images:laid_out", { count: moves.length }), operations: moves.length > 0 ? 1 : 0, result: undefined };
  }

  return {
    busy,
    failed,
    job,
    mend: (mendings) => change(() => mend(mendings), []),
    use: (pictures, wanted) => change(() => use(pictures, wanted), []),
    holdOut: (share) => change(() => holdOut(share), undefined),
    layOut: () => change(() => layOut(), undefined),
  };
}

/** What a job that mends has done, with a button that takes it back. */
function sayEnded({ outcome }: Job, sayDone: (words: string, operations: number) => void): void {
  const [mended, problems] = [Number(outcome.mended), Number(outcome.problems)];
  if (mended > 0) sayDone(i18next.t("images:mended", { count: mended }), 1);
  if (problems > 0) say(i18next.t("images:not_mended", { count: problems, of: mended + problems }));
  if (mended + problems === 0) say(i18next.t("images:nothing_to_mend"));
}

/** What pictures are called after moves, of them or of the folders that they are in. */
function after(pictures: readonly string[], moves: readonly Shape<"MoveView">[]): string[] {
  return pictures.map((picture) => {
    const move = moves.find(({ old }) => picture === old || picture.startsWith(`${old}/`));
    return move ? move.new + picture.slice(move.old.length) : picture;
  });
}

const BALANCED: Shape<"LayoutRequest"> = { names: {}, repeats: {}, regularisation: [], base_repeats: 1, epochs: 10 };
