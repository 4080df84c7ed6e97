import { NumberInput, SimpleGrid } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { type Box, heightOf, type Size, SMALLEST, widthOf } from "./box";

/** A box as numbers, for those who know them or do not use a mouse. */
export function BoxNumbers({ box, size, onChange }: { box: Box; size: Size; onChange: (box: Box) => void }) {
  const { t } = useTranslation("picture");
  const [left, top] = box;
  const [width, height] = [widthOf(box), heightOf(box)];
  const fields = [
    { name: "left", value: left, least: 0, most: size.width - width, boxOf: (x: number): Box => [x, top, x + width, top + height] },
    { name: "top", value: top, least: 0, most: size.height - height, boxOf: (y: number): Box => [left, y, left + width, y + height] },
    {
      name: "width",
      value: width,
      least: SMALLEST,
      most: size.width - left,
      boxOf: (w: number): Box => [left, top, left + w, top + height],
    },
    {
      name: "height",
      value: height,
      least: SMALLEST,
      most: size.height - top,
      boxOf: (h: number): Box => [left, top, left + width, top + h],
    },
  ];
  return (
    <SimpleGrid cols={2} spacing="xs">
      {fields.map(({ name, value, least, most, boxOf }) => (
        <NumberInput
          key={name}
          size="xs"
          label={t(name)}
          value={value}
          min={least}
          max={most}
          clampBehavior="strict"
          allowDecimal={false}
          onChange={(next) => typeof next === "number" && next >= least && next <= most && onChange(boxOf(next))}
        />
      ))}
    </SimpleGrid>
  );
}
