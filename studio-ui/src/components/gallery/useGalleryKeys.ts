import type { RefObject } from "react";
import { isTyping } from "../../keys/press";
import { type Does, useKeys } from "../../keys/useKeys";
import { led } from "./places";
import type { Selecting } from "./useSelection";

interface On {
  ids: readonly string[];
  selecting: Selecting;
  onOpen?: (id: string) => void;
  onRemove?: () => void;
  scroller: RefObject<HTMLElement | null>;
  /** The index of where the keyboard stands; -1 for nowhere. */
  place: number;
  columns: number;
  rowsInView: () => number;
}

const MOVES = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];

/** The keys of a gallery. They are its own where the focus is in it, or nowhere. */
export function useGalleryKeys({ ids, selecting, onOpen, onRemove, scroller, place, columns, rowsInView }: On): void {
  const here = ids[place];

  function move(event: KeyboardEvent): void {
    const id = ids[led(event.key, place, ids.length, columns, rowsInView()) ?? -1];
    if (id === undefined) return;
    if (event.ctrlKey || event.metaKey) selecting.stand(id);
    else selecting.choose(id, { range: event.shiftKey });
  }

  const toggle = here === undefined ? undefined : () => selecting.choose(here, { toggle: true });
  const does: Record<string, Does | undefined> = {
    ...Object.fromEntries(MOVES.flatMap((key) => [key, `Shift+${key}`, `Ctrl+${key}`].map((press) => [press, move]))),
    Space: toggle,
    "Ctrl+Space": toggle,
    "Ctrl+A": selecting.all,
    "Ctrl+I": selecting.invert,
    "Ctrl+Shift+L": selecting.bringBack,
    Escape: selecting.chosen.size > 0 ? selecting.clear : undefined,
    Enter: here === undefined || onOpen === undefined ? undefined : () => onOpen(here),
    Delete: selecting.selected.length > 0 ? onRemove : undefined,
  };

  function isMine({ target }: KeyboardEvent): boolean {
    return target instanceof Element && (scroller.current?.contains(target) || target.matches("body, main"));
  }

  useKeys(
    Object.fromEntries(
      Object.entries(does).map(([press, act]) => [
        press,
        (event: KeyboardEvent) => {
          if (!act || !isMine(event) || isTyping(event)) return false;
          act(event);
          return true;
        },
      ]),
    ),
  );
}
