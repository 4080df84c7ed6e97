import { Anchor } from "@mantine/core";
import { useCallback, useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { useGet } from "../../api/queries";
import { StudioImage } from "../../components/image/StudioImage";
import { JobProgress } from "../../components/jobs/JobProgress";
import type { Job } from "../../components/jobs/useJob";
import { Loaded } from "../../components/Loaded";
import { type Cell, cellOf } from "../../components/samples/matrix";
import { SampleMatrix } from "../../components/samples/SampleMatrix";
import { SideSlider, useSide } from "../../components/samples/SideSlider";
import { useAddress } from "../../state/address";
import { gridMatrix } from "./gridMatrix";
import classes from "./Playground.module.css";

const SIDE = "grid_side";

/** The cells of a grid that a job generates: how far it is, then its pictures. */
export function Cells({ job }: { job: Job }) {
  const { t } = useTranslation("playground");
  const sheet = `/files/jobs/${job.id}/pictures`;
  const grid = useGet("/api/jobs/{job}/grid", { path: { job: job.id } }, { enabled: job.state === "done" });
  if (job.state !== "done") return <JobProgress job={job} />;
  return (
    <Loaded
      of={grid}
      height={320}
      gone={() => (
        <a href={sheet} target="_blank" rel="noreferrer" title={t("open_sheet")}>
          <StudioImage src={sheet} alt={t("sheet")} className={classes.sheet} />
        </a>
      )}
    >
      {(made) => (
        <section aria-label={t("cells")} className={classes.cells}>
          <div className={classes.controls}>
            <SideSlider preference={SIDE} />
            <Anchor href={sheet} target="_blank" rel="noreferrer" size="sm">
              {t("open_sheet")}
            </Anchor>
          </div>
          <Pictures job={job} grid={made} />
        </section>
      )}
    </Loaded>
  );
}

/** Each has an address: that of its grid and its place in it. */
function Pictures({ job, grid }: { job: Job; grid: Shape<"GridView"> }) {
  const { t } = useTranslation("playground");
  const [, setGrid] = useAddress("grid");
  const [cell, setCell] = useAddress("cell");
  const matrix = useMemo(() => gridMatrix(grid), [grid]);
  const at = useMemo(() => cellOf(cell, matrix), [cell, matrix]);
  const open = useCallback(
    (to?: Cell) => {
      if (to) setGrid(String(job.id));
      setCell(to ? `${to.row},${to.column}` : "");
    },
    [job.id, setGrid, setCell],
  );
  return <SampleMatrix matrix={matrix} label={t("cells")} side={useSide(SIDE)} at={at} onAt={open} />;
}
