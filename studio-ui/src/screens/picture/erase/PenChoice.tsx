import { Button, Group, SegmentedControl, Slider } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Size } from "../box";
import { PENS, type Pen } from "./regions";
import type { Drawing } from "./useRegions";

const WIDEST = 1 / 4; // of the longer side

/** What one erases with, and taking back what was drawn last. */
export function PenChoice({ drawing, size }: { drawing: Drawing; size: Size }) {
  const { t } = useTranslation("picture");
  const { regions, pen, open } = drawing;
  const drawn = regions.outlines.length + regions.strokes.length + open.length;
  return (
    <>
      <SegmentedControl
        size="xs"
        fullWidth
        aria-label={t("pen")}
        value={pen}
        onChange={(value) => drawing.setPen(value as Pen)}
        data={PENS.map((value) => ({ value, label: t(`pen_${value}`) }))}
      />
      <p className="soft small">{t(`hint_${pen}`)}</p>
      {pen === "brush" && (
        <div>
          <span className="small">{t("brush_width", { pixels: drawing.brush })}</span>
          <Slider
            size="sm"
            label={null}
            min={2}
            max={Math.max(4, Math.round(Math.max(size.width, size.height) * WIDEST))}
            value={drawing.brush}
            onChange={drawing.setBrush}
            thumbLabel={t("brush_width", { pixels: drawing.brush })}
          />
        </div>
      )}
      {drawn > 0 && (
        <Group gap="sm">
          {open.length > 2 && (
            <Button size="compact-xs" variant="default" onClick={() => drawing.close(open)}>
              {t("close_outline")}
            </Button>
          )}
          <Button size="compact-xs" variant="default" onClick={drawing.takeBack}>
            {t("take_back_last")}
          </Button>
        </Group>
      )}
    </>
  );
}
