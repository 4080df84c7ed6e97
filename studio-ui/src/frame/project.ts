import { useLocation } from "wouter";
import { useGet } from "../api/queries";
import { decoded } from "../state/address";

const LAST = "lorasmith:project";

/** The project of this address, or the one that was open last; "" where there was none. */
export function useProjectId(): string {
  const [path] = useLocation();
  const found = path.match(/^\/projects\/([^/]+)/)?.[1] ?? path.match(/^\/(?:runs|sweeps)\/([^/~]+)(?:~|%7E)/)?.[1]; // the run mimi~first is of mimi
  if (found) {
    rememberProject(decoded(found));
    return decoded(found);
  }
  return lastProject();
}

function lastProject(): string {
  try {
    return sessionStorage.getItem(LAST) ?? "";
  } catch {
    return "";
  }
}

/** The project that the frame shows from now on; "" for none. */
export function rememberProject(id: string): void {
  try {
    sessionStorage.setItem(LAST, id);
  } catch {
    // it is in the address
  }
}

/** What projects are called, by their ids; one that is not there any more is called by its id. */
export function useProjectNames(): (id: string) => string {
  const { data = [] } = useGet("/api/projects");
  return (id) => data.find((project) => project.id === id)?.name ?? id;
}
