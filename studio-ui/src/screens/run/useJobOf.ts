import { useGet } from "../../api/queries";
import { isFullPath } from "../../components/paths";
import type { Job } from "../../frame/job";

/** The last job that trains a run, by the run's id: `mimi~first` is the folder `projects/mimi/runs/first`, `first` is `runs/first`. */
export function useJobOf(run: string): Job | undefined {
  const { data: jobs } = useGet("/api/jobs");
  return jobs
    ?.filter((job) => job.kind === "train" && isOf(job.arguments, run))
    .sort((one, other) => one.id - other.id)
    .at(-1);
}

/** Whether a training's arguments name the folder of a run, as it was made (`out`) or goes on (`run`), below the workspace or by its full path. */
export function isOf(args: Job["arguments"], run: string): boolean {
  const [project = "", ...names] = run.includes("~") ? run.split("~") : ["", run];
  const folder = run.startsWith("~") ? names.join("/") : [...(project ? ["projects", project] : []), "runs", ...names].join("/");
  return [args.out, args.run].some((place) => {
    const found = String(place ?? "").replaceAll("\\", "/");
    return found === folder || (isFullPath(found) && found.endsWith(`/${folder}`) && !(project === "" && isOfProject(found, folder)));
  });
}

/** Whether a whole path that ends in `runs/NAME` is that of a project's run. */
function isOfProject(path: string, folder: string): boolean {
  return /(^|\/)projects\/[^/]+\/$/.test(path.slice(0, path.length - folder.length));
}
