import { useCallback } from "react";
import { useSearchParams } from "wouter";

/**
 * One value of the address after the `?`: filter, place, dialog. Setting it to "" takes it out; nothing is added to the browser's history.
 * Several may be set one after the other: each begins with the address as the one before left it, which the router's own copy is behind.
 */
export function useAddress(name: string): [string, (value: string) => void] {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (value: string) =>
      setParams(
        () => {
          const after = new URLSearchParams(window.location.search);
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
