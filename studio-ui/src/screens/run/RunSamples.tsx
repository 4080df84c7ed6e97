import { Slider } from "@mantine/core";
import { Images } from "lucide-react";
import { useCallback, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { EmptyState } from "../../components/EmptyState";
import { Loaded } from "../../components/Loaded";
import { type Cell, cellOf, matrixOf } from "../../components/samples/matrix";
import { SampleMatrix } from "../../components/samples/SampleMatrix";
import { Viewer } from "../../components/samples/Viewer";
import { useAddress } from "../../state/address";
import { usePreferences } from "../../state/preferences";
import type { PartProps } from "./part";
import classes from "./Run.module.css";

const [SMALLEST, USUAL, LARGEST] = [64, 144, 384];

/** The samples: prompts across, epochs down. */
export function RunSamples({ run }: PartProps) {
  const { t } = useTranslation("runs");
  const samples = useGet("/api/runs/{run}/samples", { path: { run: run.id } });
  const [open, setOpen] = useAddress("sample");
  const [preferences, prefer] = usePreferences();
  const side = Number(preferences.sample_side ?? USUAL);
  const matrix = useMemo(
    () =>
      matrixOf(samples.data ?? [], {
        row: (one) => (one.step === 0 ? t("before") : t("epoch_step", { epoch: one.epoch, step: one.step })),
        column: (one) => `${one.prompt} · ${one.seed}`,
        url: (one) => one.url,
      }),
    [samples.data, t],
  );
  const move = useCallback((cell: Cell) => setOpen(`${cell.row},${cell.column}`), [setOpen]);
  const close = useCallback(() => setOpen(""), [setOpen]);
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
              <label htmlFor="side">{t("side")}</label>
              <Slider
                id="side"
                className={classes.slider}
                min={SMALLEST}
                max={LARGEST}
                step={16}
                value={side}
                onChange={(value) => prefer({ sample_side: value })}
                label={null}
                thumbLabel={t("side")}
              />
            </div>
            <SampleMatrix matrix={matrix} label={t("samples")} side={side} onOpen={move} />
            <Viewer matrix={matrix} at={cellOf(open, matrix)} onMove={move} onClose={close} baseOf={before ? baseOf : undefined} />
          </>
        )
      }
    </Loaded>
  );
}
