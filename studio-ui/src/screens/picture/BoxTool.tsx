import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { useGet } from "../../api/queries";
import type { MendChange } from "../../components/changes";
import { useKeys } from "../../keys/useKeys";
import { BoxPanel } from "./BoxPanel";
import { type Box, moved, pulled, type Size, whole } from "./box";
import { type Bucket, fitted } from "./buckets";
import { painted } from "./erase/painted";
import { RegionLayer } from "./erase/RegionLayer";
import { erasing } from "./erase/regions";
import { useRegions } from "./erase/useRegions";
import classes from "./Picture.module.css";
import { Stage } from "./Stage";
import type { Tool } from "./tool";
import { useBoxes } from "./useBoxes";

const NONE: readonly Bucket[] = [];

interface Props {
  project: string;
  facts: Shape<"PictureFacts">;
  tool: Tool;
  busy: boolean;
  /** Whether it was done; the picture is then another. */
  onDo: (change: MendChange) => Promise<boolean>;
  onCancel: () => void;
}

/** A picture under boxes: one to crop to, or several to erase or to cut out. */
export function BoxTool({ project, facts, tool, busy, onDo, onCancel }: Props) {
  const { t } = useTranslation("picture");
  const size: Size = useMemo(() => ({ width: facts.width ?? 1, height: facts.height ?? 1 }), [facts.width, facts.height]);
  const initial = useMemo(() => (tool === "crop" ? [whole(size)] : []), [tool, size]);
  const boxes = useBoxes(`${tool}:${project}:${facts.id}:${size.width}x${size.height}`, initial);
  const drawing = useRegions(`regions:${project}:${facts.id}:${size.width}x${size.height}`, size);
  const { strokes } = drawing.regions;
  const brushed = useMemo(() => (tool === "erase" ? painted(strokes, size) : ""), [tool, strokes, size]);
  const [ratio, setRatio] = useState<number>();
  const buckets = useGet("/api/projects/{project}/buckets", { path: { project } }, { enabled: tool === "crop" });
  const active = boxes.boxes[boxes.active];
  const sizes = (buckets.data?.sizes ?? NONE) as readonly Bucket[];
  const fit = tool === "crop" && active && sizes.length > 0 ? fitted(active, sizes) : undefined;

  const nudge = (dx: number, dy: number, grow: boolean) => () => {
    if (!active) return false;
    boxes.change(boxes.active, grow ? pulled(active, dx !== 0 ? "e" : "s", dx, dy, size, ratio) : moved(active, dx, dy, size));
    return true;
  };
  const arrows = (grow: boolean, prefix: string) => ({
    [`${prefix}ArrowLeft`]: nudge(-1, 0, grow),
    [`${prefix}ArrowRight`]: nudge(1, 0, grow),
    [`${prefix}ArrowUp`]: nudge(0, -1, grow),
    [`${prefix}ArrowDown`]: nudge(0, 1, grow),
  });
  const change = useMemo(
    () => (tool === "erase" ? erasing(boxes.boxes, drawing.regions, brushed) : changeOf(tool, boxes.boxes, size)),
    [tool, boxes.boxes, drawing.regions, brushed, size],
  );
  function forget() {
    boxes.forget();
    drawing.forget();
  }
  async function apply() {
    if (change && (await onDo(change))) forget();
  }
  const removeActive = () => tool !== "crop" && active !== undefined && boxes.remove(boxes.active);
  const outlined = drawing.open.length > 0;
  function applyByKey(event: KeyboardEvent) {
    if (event.target instanceof HTMLButtonElement || (change === undefined && !outlined)) return false;
    return outlined ? drawing.close(drawing.open) : apply();
  }
  const takeBack = () => tool === "erase" && drawing.takeBack();
  const leaveOutline = () => outlined && drawing.setOpen([]);
  useKeys({
    ...arrows(false, ""),
    ...arrows(true, "Shift+"),
    Delete: removeActive,
    Enter: applyByKey,
    Backspace: takeBack,
    Escape: leaveOutline,
  });

  return (
    <>
      <div className={classes.stage}>
        <Stage
          src={facts.url}
          alt={facts.text || facts.id}
          size={size}
          boxes={boxes}
          ratio={tool === "crop" ? ratio : undefined}
          draws={tool !== "crop"}
          inside={fit?.inside}
          look={tool}
        >
          {tool === "erase" && <RegionLayer size={size} drawing={drawing} />}
        </Stage>
        <p className={classes.hint}>{t(`hint_${tool}`)}</p>
      </div>
      <BoxPanel
        project={project}
        picture={facts.id}
        tool={tool}
        size={size}
        boxes={boxes}
        buckets={sizes}
        base={buckets.data?.base}
        fit={fit}
        ratio={ratio}
        onRatio={setRatio}
        change={change}
        drawing={drawing}
        busy={busy}
        onApply={apply}
        onCancel={() => {
          forget();
          onCancel();
        }}
      />
    </>
  );
}

/** What the boxes ask for; undefined where that is nothing yet. */
function changeOf(tool: "crop" | "split", boxes: readonly Box[], size: Size): MendChange | undefined {
  const sent = boxes.map((box) => [...box]);
  const [first] = sent;
  switch (tool) {
    case "crop":
      return first && first.join() !== whole(size).join() ? { way: "crop", parameters: { box: first } } : undefined;
    case "split":
      return sent.length > 1 ? { way: "cut", parameters: { boxes: sent } } : undefined;
  }
}
