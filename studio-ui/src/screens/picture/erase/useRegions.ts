import { useState } from "react";
import { useDraft } from "../../../state/draft";
import type { Size } from "../box";
import { NO_REGIONS, type Pen, type Point, type Regions, type Stroke, withOutline, withoutLast, withStroke } from "./regions";

const BRUSH = 1 / 24; // of the longer side

/** What was drawn on a picture beside boxes, and what it is drawn with. It is kept until it is used. */
export interface Drawing {
  regions: Regions;
  pen: Pen;
  setPen: (pen: Pen) => void;
  /** Of the brush, in pixels of the picture. */
  brush: number;
  setBrush: (width: number) => void;
  /** An outline that is not closed yet. */
  open: readonly Point[];
  setOpen: (outline: readonly Point[]) => void;
  close: (outline: readonly Point[]) => void;
  paint: (stroke: Stroke) => void;
  takeBack: () => void;
  forget: () => void;
}

export function useRegions(key: string, size: Size): Drawing {
  const [regions, setRegions, forget] = useDraft<Regions>(key, NO_REGIONS);
  const [pen, setPen] = useState<Pen>("box");
  const [brush, setBrush] = useState(() => Math.max(2, Math.round(Math.max(size.width, size.height) * BRUSH)));
  const [open, setOpen] = useState<readonly Point[]>([]);
  return {
    regions,
    pen,
    setPen: (next) => {
      setOpen([]);
      setPen(next);
    },
    brush,
    setBrush,
    open,
    setOpen,
    close: (outline) => {
      setOpen([]);
      setRegions((before) => withOutline(before, outline));
    },
    paint: (stroke) => setRegions((before) => withStroke(before, stroke)),
    takeBack: () => (open.length > 0 ? setOpen(open.slice(0, -1)) : setRegions(withoutLast)),
    forget: () => {
      setOpen([]);
      forget();
    },
  };
}
