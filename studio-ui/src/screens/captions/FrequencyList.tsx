import { ActionIcon, Button, Checkbox, Group, TextInput } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { CircleSlash, Search } from "lucide-react";
import { type MouseEvent, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { number } from "../../components/format";
import type { Wanted } from "./edits/wanted";
import classes from "./FrequencyList.module.css";
import { standingOf, toggled } from "./filter";
import { keyOfTag } from "./tags";

const ROW = 32;

interface Props {
  tags: readonly Shape<"TagCount">[];
  filter: string;
  onFilter: (filter: string) => void;
  /** Open the dialog of edits with this one. */
  onEdit: (wanted: Wanted) => void;
}

/** The tags with how many captions have each: a click filters by one, Alt+click excludes it; ticked ones are renamed, merged or removed in all captions. */
export function FrequencyList({ tags, filter, onFilter, onEdit }: Props) {
  const { t } = useTranslation("captions");
  const [part, setPart] = useState("");
  const [ticked, setTicked] = useState<ReadonlySet<string>>(new Set());
  const scroller = useRef<HTMLDivElement>(null);
  const shown = part ? tags.filter((one) => keyOfTag(one.tag).includes(keyOfTag(part))) : tags;
  const rows = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 8,
  });
  const chosen = tags.filter((one) => ticked.has(one.tag)).map((one) => one.tag);

  function tick(tag: string): void {
    setTicked((before) => {
      const after = new Set(before);
      if (!after.delete(tag)) after.add(tag);
      return after;
    });
  }

  return (
    <div className={classes.list}>
      <TextInput
        size="xs"
        aria-label={t("find_tag")}
        placeholder={t("find_tag")}
        leftSection={<Search size={14} aria-hidden />}
        value={part}
        onChange={(event) => setPart(event.currentTarget.value)}
      />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by keyboard */}
      <section ref={scroller} className={classes.rows} tabIndex={0} aria-label={t("tag_list")}>
        <ul style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map((row) => {
            const { tag, count } = shown[row.index] as Shape<"TagCount">;
            return (
              <TagRow
                key={tag}
                tag={tag}
                count={count}
                top={row.start}
                standing={standingOf(filter, tag)}
                ticked={ticked.has(tag)}
                onTick={() => tick(tag)}
                onFilter={(way) => onFilter(toggled(filter, tag, way))}
              />
            );
          })}
        </ul>
        {shown.length === 0 && <p className="soft small">{t(part ? "no_such_tag" : "no_tags")}</p>}
      </section>
      {chosen.length > 0 && (
        <Group gap={6} className={classes.does}>
          <span className="small">{t("ticked", { count: chosen.length })}</span>
          {chosen.length === 1 ? (
            <Button
              size="compact-xs"
              variant="default"
              onClick={() => onEdit({ edit: "rename", arguments: { old: chosen[0] as string }, scope: "all" })}
            >
              {t("rename")}
            </Button>
          ) : (
            <Button
              size="compact-xs"
              variant="default"
              onClick={() => onEdit({ edit: "replace", arguments: { tags: chosen.slice(1), by: chosen.slice(0, 1) }, scope: "all" })}
            >
              {t("merge")}
            </Button>
          )}
          <Button size="compact-xs" variant="default" onClick={() => onEdit({ edit: "remove", arguments: { tags: chosen }, scope: "all" })}>
            {t("remove")}
          </Button>
          <Button size="compact-xs" variant="subtle" onClick={() => setTicked(new Set())}>
            {t("clear")}
          </Button>
        </Group>
      )}
    </div>
  );
}

interface RowProps {
  tag: string;
  count: number;
  top: number;
  standing: "with" | "without" | undefined;
  ticked: boolean;
  onTick: () => void;
  onFilter: (way: "with" | "without") => void;
}

function TagRow({ tag, count, top, standing, ticked, onTick, onFilter }: RowProps) {
  const { t } = useTranslation("captions");
  return (
    <li className={classes.row} style={{ top, height: ROW }} data-standing={standing}>
      <Checkbox size="xs" checked={ticked} onChange={onTick} aria-label={t("tick", { tag })} />
      <button
        type="button"
        className={classes.tag}
        title={tag}
        aria-pressed={standing !== undefined}
        onClick={(event: MouseEvent) => onFilter(event.altKey ? "without" : "with")}
      >
        <span className={classes.words}>{tag}</span>
        <span className="soft small">{number(count)}</span>
      </button>
      <ActionIcon
        className={classes.exclude}
        variant="subtle"
        color="gray"
        size={24}
        aria-label={t("exclude", { tag })}
        title={t("exclude", { tag })}
        aria-pressed={standing === "without"}
        onClick={() => onFilter("without")}
      >
        <CircleSlash size={14} aria-hidden />
      </ActionIcon>
    </li>
  );
}
