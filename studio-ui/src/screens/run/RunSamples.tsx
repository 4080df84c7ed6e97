import { Images } from "lucide-react";
import { useCallback, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { EmptyState } from "../../components/EmptyState";
import { Loaded } from "../../components/Loaded";
import { type Cell, cellOf, matrixOf } from "../../components/samples/matrix";
import { SampleMatrix } from "../../components/samples/SampleMatrix";
import { SideSlider, useSide } from "../../components/samples/SideSlider";
import { useAddress } from "../../state/address";
import type { PartProps } from "./part";
import classes from "./Run.module.css";

/** The samples: prompts across, epochs down. */
export function RunSamples({ run }: PartProps) {
  const { t } = useTranslation("runs");
  const samples = useGet("/api/runs/{run}/samples", { path: { run: run.id } });
  const [open, setOpen] = useAddress("sample");
  const side = useSide("sample_side");
  const matrix = useMemo(
    () =>
      matrixOf(samples.data ?? [], {
        row: (one) => (one.step === 0 ? t("before") : t("epoch_step", { epoch: one.epoch, step: one.step })),
        column: (one) => `${one.prompt} · ${one.seed}`,
        url: (one) => one.url,
      }),
    [samples.data, t],
  );
  const at = useMemo(() => cellOf(open, matrix), [open, matrix]);
  const show = useCallback((cell?: Cell) => setOpen(cell ? `${cell.row},${cell.column}` : ""), [setOpen]);
  const before = matrix.rows[0] === t("before");
  const baseOf = useCallback((cell: Cell) => matrix.cells[0]?.[cell.column], [matrix]);
  return (
    <Loaded of={samples}>
      {(all) =>
        all.length === 0 ? (
          <EmptyState icon={<Images size={32} />}>{t("no_samples")}</EmptyState>
        ) : (
          <>
            <div className={classes.controls}>
              <SideSlider preference="sample_side" />
            </div>
            <SampleMatrix matrix={matrix} label={t("samples")} side={side} at={at} onAt={show} baseOf={before ? baseOf : undefined} />
          </>
        )
      }
    </Loaded>
  );
}
