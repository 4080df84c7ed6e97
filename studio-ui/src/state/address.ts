import { useCallback } from "react";
import { type BaseLocationHook, type BaseSearchHook, useParams, useSearchParams } from "wouter";
import { useBrowserLocation, useSearch } from "wouter/use-browser-location";

/**
 * The address as the browser has it, for the router. That decodes both by half, `%25` but not `%26`, after which nobody can tell what a name was:
 * so each is handed over with its `%` encoded once more. Who takes a name out of the address decodes it, once (`decoded`).
 */
export const usePathAsItIs: BaseLocationHook = (router) => {
  const [path, go] = useBrowserLocation(router);
  return [encodedTwice(path), go];
};

/** What is behind the `?`, in the same way. */
export const useSearchAsItIs: BaseSearchHook = (router) => encodedTwice(useSearch(router));

function encodedTwice(part: string): string {
  return part.replaceAll("%", "%25");
}

/** A name of an address: of a project, a run, a picture. One that was typed by hand with a `%` in it is taken as it is. */
export function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** The part of the address that its screen calls so: `project` of `/projects/:project/train`; "" where there is none. */
export function useAddressPart(name: string): string {
  return decoded(useParams<Record<string, string | undefined>>()[name] ?? "");
}

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
