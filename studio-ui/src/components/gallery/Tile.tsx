import { memo } from "react";
import { StudioImage } from "../image/StudioImage";
import type { Severity } from "../severity";
import classes from "./Gallery.module.css";
import { Letters } from "./Letters";

/** How a thing looks as a tile. */
export interface Look {
  /** Its picture's address; undefined where there is none to show. */
  picture?: string;
  /** Its first letters stand in for a missing picture; without a name, the tile stays empty. */
  letters?: string;
  /** Its name for those who do not see it. */
  name: string;
  /** A line at the picture's foot, such as badges. */
  strip?: string;
  /** The colour of that line. */
  tone?: Severity;
  /** Hatched: it is not trained on. */
  apart?: boolean;
  /** Words below the picture, or beside it in a list. */
  words?: string;
}

interface Props<Item> {
  dom: string;
  id: string;
  column: number;
  /** Undefined until its details have arrived. */
  item: Item | undefined;
  lookOf: (item: Item) => Look;
  chosen: boolean;
  here: boolean;
}

/** One thing in a gallery: two nodes, or three where it has words. Clicks are the gallery's. */
export const Tile = memo(function Tile<Item>({ dom, id, column, item, lookOf, chosen, here }: Props<Item>) {
  const look = item === undefined ? undefined : lookOf(item);
  const letters = <Letters of={look?.letters ?? ""} />;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a table cannot have rows that are not in the page
    // biome-ignore lint/a11y/useFocusableInteractive: the gallery has the focus, and names the tile by aria-activedescendant
    <div
      id={dom}
      role="gridcell"
      aria-colindex={column + 1}
      aria-selected={chosen}
      aria-label={look?.name ?? id}
      data-id={id}
      data-here={here || undefined}
      data-apart={look?.apart || undefined}
      data-strip={look?.strip || undefined}
      data-tone={look?.tone}
      className={classes.tile}
    >
      {look?.picture ? <StudioImage src={look.picture} alt="" decoding="async" draggable={false} otherwise={letters} /> : letters}
      {look?.words !== undefined && <span>{look.words}</span>}
    </div>
  );
}) as <Item>(props: Props<Item>) => React.ReactNode;
