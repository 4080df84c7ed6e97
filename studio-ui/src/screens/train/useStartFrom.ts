import { useEffect } from "react";
import { useSearchParams } from "wouter";
import { api, ask } from "../../api/client";
import { say, sayProblem } from "../../components/say";
import i18next from "../../words";
import { type Changes, differences, type Tree } from "./tree";
import type { Training } from "./useTraining";

/**
 * An address `?from=RUN` puts the settings of an earlier run in place of what was being put together, once; `&with={"network.rank": 8}`
 * changes some of them. A run's name, its resumed state and where its pictures were stay behind.
 */
export function useStartFrom(training: Training | undefined): void {
  const [params, setParams] = useSearchParams();
  const from = params.get("from");
  const wanted = params.get("with");
  const ready = training !== undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for an address, as soon as there is a recipe to begin with
  useEffect(() => {
    if (!from || !training) return;
    ask(api.GET("/api/runs/{run}", { params: { path: { run: from } } }))
      .then((run) => {
        training.replace({ ...changesFrom(training.recipe, run.settings as Tree), ...changesIn(wanted) });
        say(i18next.t("train:started_from", { run: run.name }));
      })
      .catch(sayProblem);
    setParams({}, { replace: true });
  }, [from, wanted, ready]);
}

/** What a run was trained with and the recipe has not: everything but its name and its places. */
export function changesFrom(recipe: Tree, settings: Tree): Changes {
  const others = Object.entries(differences(recipe, settings)).filter(
    ([name]) => name !== "name" && name !== "cache" && !name.endsWith(".path"),
  );
  return Object.fromEntries(others);
}

/** Changes as the address has them; none where it is damaged. */
export function changesIn(text: string | null): Changes {
  try {
    const found = JSON.parse(text ?? "{}");
    return found !== null && typeof found === "object" && !Array.isArray(found) ? found : {};
  } catch {
    return {};
  }
}
