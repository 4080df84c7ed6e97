import { useCallback, useEffect, useRef, useState } from "react";
import { usePreferences } from "../../state/preferences";
import { USUAL } from "./places";

const SETTLED_AFTER = 500; // milliseconds

/** The size of tiles, which the studio keeps; while it is being changed nothing is sent. */
export function useTileSize(): [number, (size: number) => void] {
  const [{ tile }, prefer] = usePreferences();
  const [size, setSize] = useState<number>();
  const timer = useRef<number>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const change = useCallback(
    (next: number) => {
      setSize(next);
      clearTimeout(timer.current);
      timer.current = window.setTimeout(() => prefer({ tile: next }), SETTLED_AFTER);
    },
    [prefer],
  );
  return [size ?? tile ?? USUAL, change];
}
