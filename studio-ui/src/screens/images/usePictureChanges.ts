import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { api, ask, type Shape } from "../../api/client";
import { Problem } from "../../api/problem";
import { lookAgain } from "../../api/queries";
import type { MendChange } from "../../components/changes";
import { say, sayProblem } from "../../components/say";
import { sayWithUndo } from "../../components/UndoToast";
import i18next from "../../words";

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
  /** Mend pictures; the answer is what they are called now. */
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

  async function undo(operations: number) {
    try {
      for (let undone = 0; undone < operations; undone++) await ask(api.POST("/api/projects/{project}/history:undo", { params: { path } }));
    } catch (error) {
      sayProblem(error);
    }
    await refresh();
  }

  /** Do something, say what it was, and offer to take it back. */
  async function change<Result>(call: () => Promise<Done<Result>>, otherwise: Result): Promise<Result> {
    setBusy(true);
    try {
      const { words, operations, result } = await call();
      if (operations > 0) sayWithUndo(words, () => undo(operations));
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
    const mends = wanted.map(({ pictures, changes }) => ({ pictures: [...pictures], changes: [...changes] }));
    const mended =
      mends.length > 0 ? await ask(api.POST("/api/projects/{project}/mends:together", { params: { path }, body: { mends } })) : [];
    setFailed(failure(mendings, mended));
    const done = mended.filter(({ problem }) => !problem);
    if (mended.length === 0) say(i18next.t("images:nothing_to_mend"));
    const words = i18next.t("images:mended", { count: done.length });
    return { words, operations: done.length > 0 ? 1 : 0, result: done.flatMap(({ after }) => after) };
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
    mend: (mendings) => change(() => mend(mendings), []),
    use: (pictures, wanted) => change(() => use(pictures, wanted), []),
    holdOut: (share) => change(() => holdOut(share), undefined),
    layOut: () => change(() => layOut(), undefined),
  };
}

/** What pictures are called after moves, of them or of the folders that they are in. */
function after(pictures: readonly string[], moves: readonly Shape<"MoveView">[]): string[] {
  return pictures.map((picture) => {
    const move = moves.find(({ old }) => picture === old || picture.startsWith(`${old}/`));
    return move ? move.new + picture.slice(move.old.length) : picture;
  });
}

const BALANCED: Shape<"LayoutRequest"> = { names: {}, repeats: {}, regularisation: [], base_repeats: 1, epochs: 10 };
