import { useGet } from "../../api/queries";
import type { Job } from "../../frame/job";

/** The folder of a sweep by its id: `mimi~rates` is `projects/mimi/runs/rates`, `rates` is `runs/rates`. */
export function folderOfSweep(id: string): string {
  const [first = "", ...rest] = id.split("~");
  if (first === "") return rest.join("/");
  return rest.length === 0 ? `runs/${first}` : `projects/${first}/runs/${rest.join("/")}`;
}

/** The last job that works on a sweep, by the sweep's id. */
export function useJobOfSweep(id: string): Job | undefined {
  const { data: jobs } = useGet("/api/jobs");
  const folder = folderOfSweep(id);
  return jobs
    ?.filter(({ kind, arguments: given }) => kind === "sweep" && [given.out, given.file].includes(folder))
    .sort((one, other) => one.id - other.id)
    .at(-1);
}
