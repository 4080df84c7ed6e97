import { useQuery } from "@tanstack/react-query";
import { api, ask, type Shape } from "../../api/client";
import type { Problem } from "../../api/problem";
import { folderOfSweep } from "./jobOf";
import { SweepFile } from "./SweepFile";

/** The file of a sweep that was begun, and the command that goes on with it. */
export function ExportSweep({ sweep, onClose }: { sweep: Shape<"SweepView">; onClose: () => void }) {
  const file = useQuery<string, Problem>({
    queryKey: ["/api/sweeps/{sweep}/file", sweep.id],
    queryFn: () => ask(api.GET("/api/sweeps/{sweep}/file", { params: { path: { sweep: sweep.id } }, parseAs: "text" })) as Promise<string>,
  });
  return <SweepFile name={sweep.name} out={folderOfSweep(sweep.id)} file={file} onClose={onClose} />;
}
