import { Button, Group, NativeSelect } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask } from "../../api/client";
import { BeforeAfter } from "../../components/BeforeAfter";
import type { MendChange } from "../../components/changes";
import { percent } from "../../components/format";
import { say, sayProblem } from "../../components/say";
import { BoxNumbers } from "./BoxNumbers";
import type { Box, Size } from "./box";
import { withRatio } from "./box";
import type { Bucket, fitted } from "./buckets";
import { PenChoice } from "./erase/PenChoice";
import type { Drawing } from "./erase/useRegions";
import classes from "./Picture.module.css";
import type { Tool } from "./tool";
import type { Boxes } from "./useBoxes";

interface Props {
  project: string;
  picture: string;
  tool: Tool;
  size: Size;
  boxes: Boxes;
  buckets: readonly Bucket[];
  /** The base whose buckets they are; null where none is chosen yet. */
  base?: string | null;
  fit?: ReturnType<typeof fitted>;
  ratio?: number;
  onRatio: (ratio?: number) => void;
  /** What would be done; undefined while that is nothing. */
  change?: MendChange;
  /** What is erased beside boxes. */
  drawing: Drawing;
  busy: boolean;
  onApply: () => void;
  onCancel: () => void;
}

/** The numbers of the boxes, what comes of them, and the button that does it. */
export function BoxPanel(props: Props) {
  const { project, picture, tool, size, boxes, fit, change, busy, onApply, onCancel } = props;
  const { t } = useTranslation("picture");
  const [preview, setPreview] = useState<{ before: string; after: string; of: MendChange }>();
  const active = boxes.boxes[boxes.active];

  async function plan(wanted: MendChange) {
    const body = { pictures: [picture], changes: [wanted] };
    const [proposal] = await ask(api.POST("/api/projects/{project}/mends:plan", { params: { path: { project } }, body }));
    return proposal;
  }
  const show = (wanted: MendChange) =>
    plan(wanted)
      .then((proposal) => {
        const [after] = proposal?.after_urls ?? [];
        if (proposal && after) setPreview({ before: proposal.before_url, after, of: wanted });
      })
      .catch(sayProblem);
  const findViews = () =>
    plan({ way: "cut", parameters: {} })
      .then((proposal) => {
        if (proposal?.boxes.length) boxes.setAll(proposal.boxes as unknown as Box[]);
        else say(t("no_views"));
      })
      .catch(sayProblem);

  return (
    <aside className={classes.panel}>
      <h2>{t(tool)}</h2>
      {tool === "crop" && <RatioChoice {...props} />}
      {tool === "split" && (
        <Button size="xs" variant="default" onClick={findViews}>
          {t("find_views")}
        </Button>
      )}
      {tool === "erase" && <PenChoice drawing={props.drawing} size={size} />}
      {active && <BoxNumbers box={active} size={size} onChange={(box) => boxes.change(boxes.active, box)} />}
      {fit && (
        <p className="small">
          {t("bucket", { width: fit.bucket[0], height: fit.bucket[1] })}{" "}
          {fit.lost > 0.001 ? t("loses", { share: percent(fit.lost, 1) }) : t("loses_nothing")}
        </p>
      )}
      {tool !== "crop" && boxes.boxes.length > 0 && (
        <Group gap="sm">
          <span className="soft small">{t("boxes", { count: boxes.boxes.length })}</span>
          {active && (
            <Button size="compact-xs" variant="default" onClick={() => boxes.remove(boxes.active)}>
              {t("remove_box")}
            </Button>
          )}
        </Group>
      )}
      {tool === "erase" && change && (
        <Button size="xs" variant="default" onClick={() => show(change)}>
          {t("preview")}
        </Button>
      )}
      {preview && preview.of === change && (
        <div className={classes.preview}>
          <BeforeAfter before={preview.before} after={preview.after} />
        </div>
      )}
      <Group gap="sm">
        <Button size="sm" disabled={change === undefined} loading={busy} onClick={onApply}>
          {t(`do_${tool}`)}
        </Button>
        <Button size="sm" variant="default" onClick={onCancel}>
          {t("cancel")}
        </Button>
      </Group>
    </aside>
  );
}

/** The shapes that a crop may keep: any, the picture's own, or a bucket's, of which nothing is cropped away. */
function RatioChoice({ buckets, base, boxes, size, ratio, onRatio }: Props) {
  const { t } = useTranslation("picture");
  const own = size.width / size.height;
  function choose(value: string) {
    const chosen = value === "" ? undefined : Number(value);
    onRatio(chosen);
    const box = boxes.boxes[0];
    if (chosen !== undefined && box) boxes.change(0, withRatio(box, chosen));
  }
  return (
    <NativeSelect
      label={t("ratio")}
      description={base === null ? t("usual_buckets") : undefined}
      value={ratio === undefined ? "" : String(ratio)}
      onChange={(event) => choose(event.currentTarget.value)}
      data={[
        { value: "", label: t("free") },
        { value: String(own), label: t("own_ratio") },
        ...uniqueRatios(buckets, own).map(([width, height]) => ({
          value: String(width / height),
          label: t("bucket_ratio", { width, height }),
        })),
      ]}
    />
  );
}

function uniqueRatios(buckets: readonly Bucket[], taken: number): Bucket[] {
  const seen = new Set([taken]);
  return buckets.filter(([width, height]) => {
    const ratio = width / height;
    return !seen.has(ratio) && Boolean(seen.add(ratio));
  });
}
