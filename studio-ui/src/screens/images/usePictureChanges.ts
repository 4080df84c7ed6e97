import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { api, ask, type Shape } from "../../api/client";
import { lookAgain } from "../../api/queries";
import type { MendChange } from "../../components/changes";
import { sayProblem } from "../../components/say";
import { sayWithUndo } from "../../components/UndoToast";
import i18next from "../../words";
import type { Mending } from "./safeMends";

const AT_ONCE = 200; // pictures that one call may mend

/** What a picture is used for. */
export type Use = Omit<Shape<"PicturesChange">, "pictures">;

export interface PictureChanges {
  busy: boolean;
  /** Mend pictures; the answer is what they are called now. */
  mend: (mendings: Mending[]) => Promise<string[]>;
  /** Put pictures into a concept, with repeats, hold them out or back. */
  use: (pictures: readonly string[], use: Use) => Promise<void>;
  holdOut: (share: number) => Promise<void>;
  /** Put loose pictures into folders, and balance the repeats. */
  layOut: () => Promise<void>;
}

/** Everything that is done to pictures. It can be undone; what fails is said, and what is shown is looked at again. */
export function usePictureChanges(project: string): PictureChanges {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
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

  async function undo() {
    await ask(api.POST("/api/projects/{project}/history:undo", { params: { path } })).catch(sayProblem);
    await refresh();
  }

  /** Do something, say what it was, and offer to take it back. `words` of "" mean that nothing was changed. */
  async function change<Result>(call: () => Promise<{ words: string; result: Result }>, otherwise: Result): Promise<Result> {
    setBusy(true);
    try {
      const { words, result } = await call();
      if (words) sayWithUndo(words, undo);
      return result;
    } catch (error) {
      sayProblem(error);
      return otherwise;
    } finally {
      setBusy(false);
      await refresh();
    }
  }

  async function mend(mendings: Mending[]) {
    const mended: Shape<"MendedView">[] = [];
    for (const { pictures, changes } of mendings) {
      for (let start = 0; start < pictures.length; start += AT_ONCE) {
        const body = { pictures: pictures.slice(start, start + AT_ONCE), changes: changes as MendChange[] };
        mended.push(...(await ask(api.POST("/api/projects/{project}/mends", { params: { path }, body }))));
      }
    }
    for (const { problem } of mended) if (problem) sayProblem(problem);
    const done = mended.filter(({ problem }) => !problem);
    const words = done.length > 0 ? i18next.t("images:mended", { count: done.length }) : "";
    return { words, result: done.flatMap(({ after }) => after) };
  }

  async function use(pictures: readonly string[], wanted: Use) {
    await ask(api.PATCH("/api/projects/{project}/pictures", { params: { path }, body: { pictures: [...pictures], ...wanted } }));
    return { words: i18next.t("images:moved", { count: pictures.length }), result: undefined };
  }

  async function holdOut(share: number) {
    const { moves } = await ask(
      api.PUT("/api/projects/{project}/holdout", { params: { path, query: { dry: false } }, body: { share, seed: 0 } }),
    );
    return { words: moves.length > 0 ? i18next.t("images:holding_out", { count: moves.length }) : "", result: undefined };
  }

  async function layOut() {
    const { moves } = await ask(api.PUT("/api/projects/{project}/layout", { params: { path, query: { dry: false } }, body: BALANCED }));
    return { words: moves.length > 0 ? i18next.t("images:laid_out", { count: moves.length }) : "", result: undefined };
  }

  return {
    busy,
    mend: (mendings) => change(() => mend(mendings), []),
    use: (pictures, wanted) => change(() => use(pictures, wanted), undefined),
    holdOut: (share) => change(() => holdOut(share), undefined),
    layOut: () => change(() => layOut(), undefined),
  };
}

const BALANCED: Shape<"LayoutRequest"> = { names: {}, repeats: {}, regularisation: [], base_repeats: 1, epochs: 10 };
