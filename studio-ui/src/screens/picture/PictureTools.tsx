import { useEffect, useState } from "react";
import type { Shape } from "../../api/client";
import { changesOf, type MendChange } from "../../components/changes";
import { StudioImage } from "../../components/image/StudioImage";
import { useKeys } from "../../keys/useKeys";
import { PictureView } from "../images/PictureView";
import type { PictureChanges } from "../images/usePictureChanges";
import { BoxTool } from "./BoxTool";
import { FactsPanel } from "./FactsPanel";
import classes from "./Picture.module.css";
import { PictureBar } from "./PictureBar";
import type { Tool } from "./tool";

interface Props {
  project: string;
  facts: Shape<"PictureFacts">;
  tool: Tool | "";
  changes: PictureChanges;
  onTool: (tool: Tool | "") => void;
  onOpen: (picture: string | undefined) => unknown;
  onGrid: () => void;
  previous?: string;
  next?: string;
  /** Which of how many it is. */
  place: string;
}

/** A picture with the tools for it, each a button and a key. */
export function PictureTools(props: Props) {
  const { project, facts, tool, changes, onTool, onOpen, onGrid, previous, next } = props;
  const [original, showOriginal] = useState(false);
  useEffect(() => {
    const released = () => showOriginal(false);
    addEventListener("keyup", released);
    return () => removeEventListener("keyup", released);
  }, []);

  async function mend(change: MendChange | MendChange[], pictures = [facts.id]) {
    const wanted = [change].flat();
    const [after, ...more] = await changes.mend([{ pictures, changes: wanted }]);
    if (more.length > 0 || wanted.some(({ way }) => way === "remove")) onGrid();
    else if (after !== undefined) onOpen(after);
    return after !== undefined;
  }
  const flip = () => mend({ way: "flip", parameters: { way: "horizontal" } });
  const rotate = (degrees: 90 | 270) => mend({ way: "rotate", parameters: { degrees } });
  const holdOut = () => changes.use([facts.id], { held_out: !facts.held_out }).then(([now]) => onOpen(now));
  const remove = () => mend({ way: "remove", parameters: {} });
  const toPrevious = () => tool === "" && onOpen(previous);
  const toNext = () => tool === "" && onOpen(next);
  const removeByKey = () => tool === "" && remove();
  const leave = () => (tool === "" ? onGrid() : onTool(""));
  const proposed = facts.findings.flatMap(changesOf).filter(({ way }) => way !== "duplicates");
  const readable = facts.width !== null && facts.height !== null;

  useKeys({
    c: () => readable && onTool("crop"),
    e: () => readable && onTool("erase"),
    x: () => readable && onTool("split"),
    f: flip,
    r: () => rotate(90),
    "Shift+R": () => rotate(270),
    m: () => proposed.length > 0 && mend(proposed),
    h: holdOut,
    o: () => showOriginal(true),
    ArrowLeft: toPrevious,
    ArrowRight: toNext,
    Delete: removeByKey,
    Escape: leave,
  });

  return (
    <>
      <PictureBar {...props} onFlip={flip} onRotate={rotate} onHoldOut={holdOut} onRemove={remove} />
      <div className={classes.columns}>
        {tool !== "" && readable ? (
          <BoxTool key={tool} project={project} facts={facts} tool={tool} busy={changes.busy} onDo={mend} onCancel={() => onTool("")} />
        ) : (
          <>
            <div className={classes.stage}>
              {original && facts.original_url ? (
                <StudioImage src={facts.original_url} alt="" className={classes.original} />
              ) : (
                <PictureView facts={facts} />
              )}
            </div>
            <FactsPanel facts={facts} busy={changes.busy} onMend={mend} />
          </>
        )}
      </div>
    </>
  );
}
