import { Button } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import type { Problem } from "../../api/problem";
import { ErrorCard } from "../../components/ErrorCard";
import type { PartProps } from "./part";
import classes from "./Run.module.css";
import { useJobOf } from "./useJobOf";

const LINES = 500;

/** What the run said: its job's words where it was one, else its events; the last lines, and earlier ones on demand. */
export function RunLog({ run }: PartProps) {
  const { t } = useTranslation("runs");
  const job = useJobOf(run.id);
  const log = useInfiniteQuery<Shape<"LogPage">, Problem, Shape<"LogPage">[], unknown[], number | undefined>({
    queryKey: ["log", run.id, job?.id],
    initialPageParam: undefined,
    queryFn: ({ pageParam: before }) =>
      job
        ? ask(api.GET("/api/jobs/{job}/log", { params: { path: { job: job.id }, query: { before, count: LINES } } }))
        : ask(api.GET("/api/runs/{run}/log", { params: { path: { run: run.id }, query: { before, count: LINES } } })),
    getNextPageParam: (page) => page.before ?? undefined,
    select: (data) => data.pages,
    refetchInterval: run.state === "running" ? 3000 : false,
  });
  if (log.error) return <ErrorCard problem={log.error} onAgain={() => log.refetch()} />;
  const lines = [...(log.data ?? [])].reverse().flatMap((page) => page.lines);
  return (
    <>
      {log.hasNextPage && (
        <Button size="xs" variant="default" mb="xs" onClick={() => log.fetchNextPage()} loading={log.isFetchingNextPage}>
          {t("earlier")}
        </Button>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard */}
      <section className={classes.log} tabIndex={0} aria-label={t("log")}>
        {lines.length ? lines.join("\n") : t("no_log")}
      </section>
    </>
  );
}
