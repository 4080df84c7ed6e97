import { SegmentedControl, Skeleton, Slider, Switch } from "@mantine/core";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Curve } from "../../components/curve/Curve";
import { perStep, type X } from "../../components/curve/series";
import { useAddress } from "../../state/address";
import { usePreferences } from "../../state/preferences";
import { imagesAStep } from "./facts";
import { bands, heldOutLines, lossLines, otherCurves, rateLines } from "./lines";
import type { PartProps } from "./part";
import classes from "./Run.module.css";

const USUAL_SMOOTHING = 0.9;
const SMALL = 160; // pixels of a small curve's height

/** Loss, held-out change, learning rates and bands of timesteps, over steps, epochs or images seen. */
export function RunCurves({ run, curve }: PartProps) {
  const { t } = useTranslation("runs");
  const [preferences, prefer] = usePreferences();
  const [smoothing, smooth] = useState(Number(preferences.smoothing ?? USUAL_SMOOTHING));
  const [xName, setX] = useAddress("over");
  const [logName, setLog] = useAddress("log");
  const x: X = xName === "epochs" || xName === "images" ? xName : "steps";
  const scale = perStep(x, { steps: run.steps, epochs: run.epochs, imagesAStep: imagesAStep(run.settings) });
  const shown = useMemo(() => {
    const series = curve?.series ?? {};
    return {
      loss: lossLines(series, smoothing, t),
      heldOut: heldOutLines(series, t),
      rates: rateLines(series),
      bands: bands(series, smoothing),
      others: otherCurves(series),
    };
  }, [curve, smoothing, t]);
  const common = { scale, xLabel: t(`x_${x}`) };
  if (!curve) return <Skeleton height={280} />;
  if (shown.loss.length === 0) return <p className="soft">{t("no_steps")}</p>;
  return (
    <>
      <div className={classes.controls}>
        <label htmlFor="smoothing">{t("smoothing")}</label>
        <Slider
          id="smoothing"
          className={classes.slider}
          min={0}
          max={0.99}
          step={0.01}
          value={smoothing}
          onChange={smooth}
          onChangeEnd={(value) => prefer({ smoothing: value })}
          thumbLabel={t("smoothing")}
          label={(value) => value.toFixed(2)}
        />
        <Switch label={t("log_scale")} checked={logName === "1"} onChange={(event) => setLog(event.currentTarget.checked ? "1" : "")} />
        <SegmentedControl
          value={x}
          onChange={(value) => setX(value === "steps" ? "" : value)}
          data={(["steps", "epochs", "images"] as const).map((name) => ({ value: name, label: t(`x_${name}`) }))}
          aria-label={t("x_axis")}
        />
      </div>
      <h2>{t("loss")}</h2>
      <Curve title={t("loss")} lines={shown.loss} log={logName === "1"} {...common} />
      {shown.heldOut.length > 0 && (
        <>
          <h2>{t("held_out_title")}</h2>
          <p className="soft small">{t("held_out_words")}</p>
          <Curve title={t("held_out_title")} lines={shown.heldOut} {...common} />
        </>
      )}
      <h2>{t("rates")}</h2>
      <Curve title={t("rates")} lines={shown.rates} height={SMALL} {...common} />
      <h2>{t("bands")}</h2>
      <div className={classes.multiples}>
        {shown.bands.map(([name, lines]) => (
          <div key={name}>
            <h3>{t("band", { name })}</h3>
            <Curve title={t("band", { name })} lines={lines} height={SMALL} log={logName === "1"} {...common} />
          </div>
        ))}
      </div>
      <details>
        <summary>{t("other_curves")}</summary>
        <div className={classes.multiples}>
          {shown.others.map(([name, lines]) => (
            <div key={name}>
              <h3>{name}</h3>
              <Curve title={name} lines={lines} height={SMALL} {...common} />
            </div>
          ))}
        </div>
      </details>
    </>
  );
}
