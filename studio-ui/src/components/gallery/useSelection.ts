import { useMemo, useState } from "react";
import { all, broughtBack, choose, cleared, type How, inverted, NOTHING, type Selection, stand } from "./selection";

/** A gallery's selection, with what can be done to it. */
export interface Selecting {
  /** What is selected among what is shown, in its order. What a filter hides stays selected, but is not in here. */
  selected: readonly string[];
  chosen: ReadonlySet<string>;
  /** Where the keyboard stands; "" where that is not shown. */
  place: string;
  /** For fingers: each touch selects or deselects. */
  touch: boolean;
  setTouch: (touch: boolean) => void;
  choose: (id: string, how?: How) => void;
  stand: (id: string) => void;
  all: () => void;
  /** These alone. */
  only: (ids: readonly string[]) => void;
  invert: () => void;
  clear: () => void;
  bringBack: () => void;
}

/** The selection among these ids; `place` is where the keyboard stands at first. */
export function useSelection(ids: readonly string[], place = ""): Selecting {
  const [selection, setSelection] = useState<Selection>(() => ({ ...NOTHING, place, anchor: place }));
  const [touch, setTouch] = useState(false);
  const shown = useMemo(() => new Set(ids), [ids]);
  const selected = useMemo(
    () => (selection.chosen.size === 0 ? [] : ids.filter((id) => selection.chosen.has(id))),
    [ids, selection.chosen],
  );
  const does = useMemo(
    () => ({
      choose: (id: string, how?: How) => setSelection((before) => choose(before, ids, id, how)),
      stand: (id: string) => setSelection((before) => stand(before, id)),
      all: () => setSelection((before) => all(before, ids)),
      only: (wanted: readonly string[]) => setSelection((before) => all(before, wanted)),
      invert: () => setSelection((before) => inverted(before, ids)),
      clear: () => setSelection(cleared),
      bringBack: () => setSelection(broughtBack),
    }),
    [ids],
  );
  return { ...does, selected, chosen: selection.chosen, place: shown.has(selection.place) ? selection.place : "", touch, setTouch };
}
