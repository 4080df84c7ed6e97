import { useCallback } from "react";
import { useSearchParams } from "wouter";

/** One value of the address after the `?`: filter, place, dialog. Setting it to "" takes it out; nothing is added to the browser's history. */
export function useAddress(name: string): [string, (value: string) => void] {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (value: string) =>
      setParams(
        (before) => {
          const after = new URLSearchParams(before);
          if (value) after.set(name, value);
          else after.delete(name);
          return after;
        },
        { replace: true },
      ),
    [name, setParams],
  );
  return [params.get(name) ?? "", set];
}

/** Takes several values out of the address at once; one by one, the last would bring the others back. */
export function useForgetAddress(...names: string[]): () => void {
  const [, setParams] = useSearchParams();
  return () =>
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        for (const name of names) after.delete(name);
        return after;
      },
      { replace: true },
    );
}
