import { Skeleton } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import type { Problem } from "../api/problem";
import { ErrorCard } from "./ErrorCard";

const PATIENCE = 150; // milliseconds before a skeleton is shown

interface Props<Data> {
  of: UseQueryResult<Data, Problem>;
  height?: number | string;
  gone?: (problem: Problem) => ReactNode;
  children: (data: Data) => ReactNode;
}

/**
 * What a query brings, in each of its states: its content; a skeleton of the final height, after a moment; the reason why there is none.
 * Content that is there stays while it is fetched again, also where that fails: then the reason stands above it. What is not there (404) may
 * have words of its own, `gone`.
 */
export function Loaded<Data>(props: Props<Data>) {
  const { data, error, refetch } = props.of;
  const late = useLate();
  if (error?.status === 404 && data === undefined && props.gone) return props.gone(error);
  return (
    <>
      {error && <ErrorCard key={error.message} problem={error} onAgain={() => refetch()} />}
      {data !== undefined ? props.children(data) : !error && late && <Skeleton height={props.height ?? 200} aria-busy />}
    </>
  );
}

/** A skeleton of the final height, after a moment, for what is not there yet. */
export function Waiting({ height }: { height: number | string }) {
  return useLate() && <Skeleton height={height} aria-busy />;
}

function useLate(): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), PATIENCE);
    return () => clearTimeout(timer);
  }, []);
  return late;
}
