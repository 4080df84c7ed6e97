import { type UseQueryOptions, type UseQueryResult, useQueries, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { api, ask, type Shape } from "../../api/client";
import type { Problem } from "../../api/problem";
import { keyOf, lookAgain } from "../../api/queries";
import { type Asked, DETAILS, LIST, PAGE, pageOf, usePictureList, useWatchOfPictures } from "./pictureList";

export type Picture = Shape<"PictureItem">;

const STILL_FOR = 80; // milliseconds that the view stands still before details are fetched
const NONE: readonly string[] = [];

/**
 * The pictures of a project: the ids of all at once, the details by pages of those in view.
 * `pictureOf` answers with what was known last until a page has arrived, so that nothing flickers when something has changed.
 */
export function usePictures(project: string, asked: Asked) {
  const client = useQueryClient();
  const list = usePictureList(project, asked);
  useWatchOfPictures(project, list.data?.version);
  const [[first, last], setPages] = useState<[number, number]>([0, 0]);
  const version = list.data?.version ?? "";

  const starts = version && !list.isPlaceholderData ? range(first, last).map((page) => page * PAGE) : [];
  const pages = useQueries({
    queries: starts.map((start): UseQueryOptions<Shape<"PicturePage">, Problem> => {
      const params = pageOf(project, asked, version, start);
      return {
        queryKey: keyOf(DETAILS, params),
        queryFn: ({ signal }) => ask(api.GET(DETAILS, { params, signal })),
        staleTime: Number.POSITIVE_INFINITY, // a page of a version does not change
      };
    }),
    combine: (answers) => ({
      items: answers.flatMap((page) => page.data?.items ?? []),
      stale: answers.some(({ error }) => error?.code === "pictures.stale"),
      details: failed(answers),
    }),
  });
  useEffect(() => {
    if (pages.stale) lookAgain(client, LIST);
  }, [pages.stale, client]);

  const found = useRef(NONE); // a filter that cannot be read leaves what was found before it
  if (list.data) found.current = list.data.ids;

  const known = useRef(new Map<string, Picture>());
  const pictureOf = useMemo(() => {
    for (const item of pages.items) known.current.set(item.id, item);
    return (id: string) => known.current.get(id);
  }, [pages.items]);

  const timer = useRef<number>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const onView = useCallback((from: number, to: number) => {
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setPages([Math.floor(from / PAGE), Math.floor(to / PAGE)]), STILL_FOR);
  }, []);

  return { list, ids: found.current, version, pictureOf, onView, details: pages.details };
}

/** Whether pages of details could not be fetched, and how to fetch these again; a stale one is, anyway. */
function failed(answers: readonly UseQueryResult<unknown, Problem>[]) {
  const broken = answers.filter(({ error }) => error && error.code !== "pictures.stale");
  const refetch = () => Promise.all(broken.map((page) => page.refetch()));
  return { error: broken[0]?.error ?? null, refetch };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
