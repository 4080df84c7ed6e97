import { useEffect, useRef, useState } from "react";
import { listen, timesHeardAgain } from "../../events/news";
import { type Standing, standingAfter, statusOf } from "./standing";

interface Missing {
  src: string;
  standing: Standing;
  /** How often the studio had been heard again when it did not come. */
  heard: number;
}

/**
 * Where an image is that did not come; undefined for one that is shown or under way. Call `missed` when the browser gives it up.
 *
 * The browser does not give a reason, so the studio is asked for one. An image that was cut short is requested again at once. One that failed because the studio
 * was away is requested when the studio is back, once each time. One that is gone stays gone.
 */
export function useStanding(src: string | undefined, onGone?: () => void): { standing?: Standing; missed: () => void } {
  const [known, setMissing] = useState<Missing>();
  const latest = useRef<Missing>(undefined);
  const missing = known?.src === src ? known : undefined;

  useEffect(() => {
    if (missing?.standing !== "waiting") return;
    const again = () => timesHeardAgain() !== missing.heard && setMissing(undefined);
    again();
    return listen(again);
  }, [missing]);

  async function missed() {
    if (src === undefined) return;
    const mine: Missing = { src, standing: "waiting", heard: timesHeardAgain() };
    latest.current = mine;
    setMissing(mine);
    const standing = standingAfter(await statusOf(src), missing?.standing === "again");
    if (standing !== "waiting") setMissing((now) => (now === mine ? { ...mine, standing } : now));
    if (standing === "gone" && latest.current === mine) onGone?.();
  }

  return { standing: missing?.standing, missed };
}
