import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { useGet } from "../../api/queries";
import type { MendChange } from "../../components/changes";
import { useKeys } from "../../keys/useKeys";
import { BoxPanel } from "./BoxPanel";
import { type Box, moved, pulled, type Size, whole } from "./box";
import { type Bucket, fitted } from "./buckets";
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
  const change = changeOf(tool, boxes.boxes, size);
  async function apply() {
    if (change && (await onDo(change))) boxes.forget();
  }
  const removeActive = () => tool !== "crop" && active !== undefined && boxes.remove(boxes.active);
  const applyByKey = (event: KeyboardEvent) => !(event.target instanceof HTMLButtonElement) && change !== undefined && apply();
  useKeys({ ...arrows(false, ""), ...arrows(true, "Shift+"), Delete: removeActive, Enter: applyByKey });

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
        />
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
        busy={busy}
        onApply={apply}
        onCancel={() => {
          boxes.forget();
          onCancel();
        }}
      />
    </>
  );
}

/** What the boxes ask for; undefined where that is nothing yet. */
function changeOf(tool: Tool, boxes: readonly Box[], size: Size): MendChange | undefined {
  const sent = boxes.map((box) => [...box]);
  const [first] = sent;
  switch (tool) {
    case "crop":
      return first && first.join() !== whole(size).join() ? { way: "crop", parameters: { box: first } } : undefined;
    case "erase":
      return first && { way: "erase", parameters: { boxes: sent } };
    case "split":
      return sent.length > 1 ? { way: "cut", parameters: { boxes: sent } } : undefined;
  }
}
