import { Slider } from "@mantine/core";
import { Grid2x2, Grid3x3 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { LARGEST, SMALLEST } from "./places";
import classes from "./TileSize.module.css";

/** How large tiles are. */
export function TileSize({ size, onSize }: { size: number; onSize: (size: number) => void }) {
  const { t } = useTranslation("gallery");
  return (
    <div className={classes.size}>
      <Grid3x3 size={16} aria-hidden />
      <Slider
        className={classes.slider}
        size="sm"
        label={null}
        min={SMALLEST}
        max={LARGEST}
        step={8}
        value={size}
        onChange={onSize}
        thumbLabel={t("tile_size")}
      />
      <Grid2x2 size={16} aria-hidden />
    </div>
  );
}
