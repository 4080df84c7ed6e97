import { useElementSize } from "@mantine/hooks";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, type ReactNode, useEffect, useId, useLayoutEffect, useMemo, useRef } from "react";
import classes from "./Gallery.module.css";
import { GAP, gridOf, MARGIN, resized } from "./places";
import { type Look, Tile } from "./Tile";
import { useGalleryKeys } from "./useGalleryKeys";
import type { Selecting } from "./useSelection";

const ROWS_AHEAD = 3;
const WORDS_HEIGHT = 24;
const LIST_HEIGHT = 72;

interface Props<Item> {
  /** What is shown, in order. */
  ids: readonly string[];
  /** The details of one; undefined until they have arrived. The same object as long as nothing has changed. */
  itemOf: (id: string) => Item | undefined;
  /** How one looks. A function that stays the same. */
  lookOf: (item: Item) => Look;
  selecting: Selecting;
  /** Its name for those who do not see it. */
  label: string;
  /** Width of a tile in pixels; a row's tiles grow until it is filled. */
  size: number;
  /** Ctrl+wheel asks for another size. */
  onSize?: (size: number) => void;
  /** The first and the last that are in view, or nearly. */
  onView?: (first: number, last: number) => void;
  /** Enter, or a double click. */
  onOpen?: (id: string) => void;
  /** Delete, with something selected. */
  onRemove?: () => void;
  /** Squares; squares with a line of words below; or one in a row with its words beside it. */
  layout?: "tiles" | "named" | "list";
  /** Shown in place of the tiles where there are none. */
  children?: ReactNode;
}

/**
 * Any number of things as tiles, of which those in view alone are in the page: selected by click, Ctrl, Shift, touch and keyboard.
 * What is selected is the owner's (useSelection).
 */
export function Gallery<Item>(props: Props<Item>) {
  const { ids, itemOf, lookOf, selecting, label, size, onView, layout = "tiles" } = props;
  const dom = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const { ref: measured, width } = useElementSize<HTMLDivElement>();
  const { columns, side } = layout === "list" ? { columns: 1, side: LIST_HEIGHT } : gridOf(width, size);
  const height = layout === "list" ? LIST_HEIGHT : side + (layout === "named" ? WORDS_HEIGHT : 0);

  const rows = useVirtualizer({
    count: width === 0 ? 0 : Math.ceil(ids.length / columns),
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    gap: GAP,
    paddingStart: MARGIN,
    paddingEnd: MARGIN,
    scrollPaddingStart: MARGIN,
    scrollPaddingEnd: MARGIN,
    overscan: ROWS_AHEAD,
  });
  const shown = rows.getVirtualItems();
  const first = (shown[0]?.index ?? 0) * columns;
  const last = Math.min(ids.length, ((shown.at(-1)?.index ?? -1) + 1) * columns) - 1;
  useEffect(() => {
    if (last >= first) onView?.(first, last);
  }, [first, last, onView]);

  useSteadyPlace(rows, columns, height, scroller);
  const indices = useMemo(() => new Map(ids.map((id, index) => [id, index])), [ids]);
  const place = selecting.place === "" ? -1 : (indices.get(selecting.place) ?? -1);
  useLayoutEffect(() => {
    if (place >= 0 && width > 0) rows.scrollToIndex(Math.floor(place / columns), { align: "auto" });
  }, [place, columns, width, rows]);

  const rowsInView = () => Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / (height + GAP)));
  useGalleryKeys({ ...props, scroller, place, columns, rowsInView });
  useWheel(scroller, props);
  const clicks = clicksOn(props);

  return (
    // biome-ignore lint/a11y/useSemanticElements: a table cannot have rows that are not in the page
    <div
      ref={scroller}
      role="grid"
      tabIndex={0}
      aria-label={label}
      aria-multiselectable
      aria-rowcount={Math.ceil(ids.length / columns)}
      aria-colcount={columns}
      aria-activedescendant={place >= first && place <= last ? `${dom}${place}` : undefined}
      className={classes.gallery}
      data-layout={layout}
      {...clicks}
    >
      <div ref={measured} role="presentation" className={classes.room} style={{ height: rows.getTotalSize() }}>
        {ids.length === 0 && props.children}
        {shown.map((row) => (
          // biome-ignore lint/a11y/useSemanticElements: as above
          // biome-ignore lint/a11y/useFocusableInteractive: the gallery has the focus
          <div
            key={row.key}
            role="row"
            aria-rowindex={row.index + 1}
            className={classes.row}
            style={{ top: row.start, height, gridTemplateColumns: layout === "list" ? "1fr" : `repeat(${columns}, ${side}px)` }}
          >
            {ids.slice(row.index * columns, (row.index + 1) * columns).map((id, column) => (
              <Tile
                key={id}
                dom={`${dom}${row.index * columns + column}`}
                id={id}
                column={column}
                item={itemOf(id)}
                lookOf={lookOf}
                chosen={selecting.chosen.has(id)}
                here={id === selecting.place}
              />
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}

/** What was at the top stays there when the number of columns changes. */
function useSteadyPlace(
  rows: ReturnType<typeof useVirtualizer<HTMLDivElement, Element>>,
  columns: number,
  height: number,
  scroller: React.RefObject<HTMLDivElement | null>,
): void {
  const before = useRef({ columns, height });
  useLayoutEffect(() => {
    const was = before.current;
    before.current = { columns, height };
    if (was.columns === columns && was.height === height) return;
    const top = (scroller.current?.scrollTop ?? 0) / (was.height + GAP);
    rows.measure();
    rows.scrollToOffset(((top * was.columns) / columns) * (height + GAP));
  }, [columns, height, rows, scroller]);
}

function clicksOn<Item>({ selecting, onOpen }: Props<Item>) {
  const tileOf = (event: MouseEvent) => (event.target as Element).closest<HTMLElement>("[data-id]")?.dataset.id;
  return {
    onClick: (event: MouseEvent) => {
      const id = tileOf(event);
      if (id === undefined) selecting.clear();
      else selecting.choose(id, { toggle: event.ctrlKey || event.metaKey || selecting.touch, range: event.shiftKey });
    },
    onDoubleClick: (event: MouseEvent) => {
      const id = tileOf(event);
      if (id !== undefined && !selecting.touch) onOpen?.(id);
    },
  };
}

/** Ctrl+wheel over the tiles makes them larger or smaller. */
function useWheel<Item>(scroller: React.RefObject<HTMLDivElement | null>, { size, onSize }: Props<Item>): void {
  const now = useRef({ size, onSize });
  now.current = { size, onSize };
  useEffect(() => {
    const place = scroller.current;
    const turned = (event: WheelEvent) => {
      if (!event.ctrlKey || !now.current.onSize) return;
      event.preventDefault(); // else the browser makes the page larger
      now.current.onSize(resized(now.current.size, -event.deltaY));
    };
    place?.addEventListener("wheel", turned, { passive: false });
    return () => place?.removeEventListener("wheel", turned);
  }, [scroller]);
}
