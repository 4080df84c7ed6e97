import { useState } from "react";
import { useDraft } from "../../state/draft";
import type { Box } from "./box";

/** Boxes on a picture: one for a crop, several for what is erased or split off. They are kept until they are used. */
export interface Boxes {
  boxes: readonly Box[];
  /** The one that keys move; -1 for none. */
  active: number;
  setActive: (index: number) => void;
  change: (index: number, box: Box) => void;
  add: (box: Box) => void;
  remove: (index: number) => void;
  setAll: (boxes: readonly Box[]) => void;
  /** Nothing was drawn. */
  forget: () => void;
}

export function useBoxes(key: string, initial: readonly Box[]): Boxes {
  const [boxes, setBoxes, forget] = useDraft<readonly Box[]>(key, initial);
  const [active, setActive] = useState(initial.length === 1 ? 0 : -1);
  return {
    boxes,
    active: active < boxes.length ? active : -1,
    setActive,
    change: (index, box) => setBoxes((before) => before.map((one, at) => (at === index ? box : one))),
    add: (box) => {
      setBoxes((before) => [...before, box]);
      setActive(boxes.length);
    },
    remove: (index) => setBoxes((before) => before.filter((_, at) => at !== index)),
    setAll: setBoxes,
    forget,
  };
}
