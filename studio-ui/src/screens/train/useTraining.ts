import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { api, ask, type Shape } from "../../api/client";
import type { Problem } from "../../api/problem";
import { keyOf, useGet } from "../../api/queries";
import { sayProblem } from "../../components/say";
import { hasEnded } from "../../frame/job";
import { useDraft } from "../../state/draft";
import { freeName } from "./names";
import { type Changes, changedBy, type Json, placesOf, type Tree, withChanges, withValue } from "./tree";

type Choice = Shape<"ChoiceView">;
type Project = Shape<"ProjectView">;

/** What is being put together: the recipe's settings with what the person changed of them. */
export interface Training {
  recipe: Tree;
  settings: Tree;
  changes: Changes;
  /** Why the recipe's settings are as they are: a recipe's name of a setting -> its choice. */
  reasons: ReadonlyMap<string, Choice>;
  notes: string[];
  /** Names of runs that there are, or that wait. */
  taken: ReadonlySet<string>;
  set: (name: string, value: Json) => void;
  /** Several settings together; a name that means all folders is set in each. */
  setAll: (wanted: Changes) => void;
  reset: (name: string) => void;
  /** Changes in place of all that there are. */
  replace: (changes: Changes) => void;
  /** The Ray cluster over which it is trained; "" for this machine. */
  ray: string;
  setRay: (address: string) => void;
}

/** The settings that a project's next training starts from, and what was changed of them; that is kept for each project. */
export function useTraining(project: Project): { training?: Training; problem?: Problem; again: () => void } {
  const start = useStart(project);
  const reasons = useReasons(project);
  const taken = useTaken(project.id);
  const [changes, change] = useDraft<Changes>(`train:${project.id}`, {});
  const [ray, setRay] = useDraft(`ray:${project.id}`, "");
  const suggested = start.data?.settings as Tree | undefined;
  const recipe = useMemo(() => suggested && withValue(suggested, "name", freeName(String(suggested.name), taken)), [suggested, taken]);
  const settings = useMemo(() => recipe && withChanges(recipe, changes), [recipe, changes]);

  const setAll = useCallback(
    (wanted: Changes) =>
      change((before) => {
        if (!recipe) return before;
        const tree = withChanges(recipe, before);
        const places = Object.entries(wanted).flatMap(([name, value]) =>
          placesOf(name, tree).map((place): [string, Json] => [place, value]),
        );
        return places.reduce((after, [place, value]) => changedBy(after, place, value, recipe), before);
      }),
    [change, recipe],
  );
  const set = useCallback((name: string, value: Json) => setAll({ [name]: value }), [setAll]);
  const reset = useCallback((name: string) => change(({ [name]: _, ...others }) => others), [change]);

  const notes = start.data?.notes ?? [];
  const training = recipe &&
    settings && { recipe, settings, changes, reasons, notes, taken, set, setAll, reset, replace: change, ray, setRay };
  return { training, problem: start.error ?? undefined, again: () => start.refetch() };
}

function useStart(project: Project) {
  const { id, base, level, kind, trigger } = project;
  return useQuery<Shape<"StartingSettings">, Problem>({
    queryKey: ["/api/projects/{project}/settings", { id, base, level, kind, trigger }],
    queryFn: () => ask(api.POST("/api/projects/{project}/settings", { params: { path: { project: id } } })),
    enabled: Boolean(base),
    placeholderData: (before) => before,
  });
}

function useReasons({ base, kind, level, standing }: Project): ReadonlyMap<string, Choice> {
  const described = useGet("/api/bases:describe", { query: { source: base ?? "" } }, { enabled: Boolean(base) });
  const family = described.data?.family ?? "";
  const { data } = useGet(
    "/api/recipes/{kind}/{family}/{level}",
    { path: { kind, family, level }, query: { base, images: Math.max(1, standing?.pictures ?? 1) } },
    { enabled: Boolean(family) },
  );
  return useMemo(() => new Map(data?.map((choice) => [choice.setting, choice])), [data]);
}

function useTaken(project: string): ReadonlySet<string> {
  const { data: runs } = useGet("/api/runs");
  const { data: sweeps } = useGet("/api/sweeps");
  const { data: jobs } = useGet("/api/jobs");
  return useMemo(() => {
    const below = `projects/${project}/runs/`;
    const made = [...(runs ?? []), ...(sweeps ?? [])].map(({ id }) => id).filter((id) => id.startsWith(`${project}~`));
    const asked = (jobs ?? [])
      .filter((job) => ["train", "sweep"].includes(job.kind) && !hasEnded(job))
      .map((job) => String(job.arguments.out ?? ""));
    return new Set([
      ...made.map((id) => id.slice(project.length + 1)),
      ...asked.filter((out) => out.startsWith(below)).map((out) => out.slice(below.length)),
    ]);
  }, [runs, sweeps, jobs, project]);
}

/** Changes the project itself: its base, level or trigger. */
export function useProjectChange(project: string): (change: Shape<"ProjectChange">) => void {
  const client = useQueryClient();
  return useCallback(
    (change) => {
      ask(api.PATCH("/api/projects/{project}", { params: { path: { project } }, body: change }))
        .then((changed) => client.setQueryData(keyOf("/api/projects/{project}", { path: { project } }), changed))
        .catch(sayProblem);
    },
    [client, project],
  );
}
