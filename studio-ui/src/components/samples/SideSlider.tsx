import { Slider } from "@mantine/core";
import { useId } from "react";
import { useTranslation } from "react-i18next";
import { usePreferences } from "../../state/preferences";
import classes from "./SampleMatrix.module.css";

const [SMALLEST, USUAL, LARGEST] = [64, 144, 384]; // pixels

/** The side of the pictures of a matrix, in pixels, as it was chosen last: a preference of this name. */
export function useSide(preference: string): number {
  const [preferences] = usePreferences();
  return Number(preferences[preference] ?? USUAL);
}

/** Chooses it. */
export function SideSlider({ preference }: { preference: string }) {
  const { t } = useTranslation("runs");
  const [, prefer] = usePreferences();
  const id = useId();
  return (
    <>
      <label htmlFor={id}>{t("side")}</label>
      <Slider
        id={id}
        className={classes.slider}
        min={SMALLEST}
        max={LARGEST}
        step={16}
        value={useSide(preference)}
        onChange={(value) => prefer({ [preference]: value })}
        label={null}
        thumbLabel={t("side")}
      />
    </>
  );
}
