import { ActionIcon, Button, NativeSelect, Tooltip } from "@mantine/core";
import { Copy, PanelLeft, PanelRight, Pointer } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Problem } from "../../api/problem";
import { FilterField, type Finding } from "../../components/filter/FilterField";
import { TileSize } from "../../components/gallery/TileSize";
import { AddPictures } from "../../uploads/AddPictures";
import classes from "./Images.module.css";

export const SORTS = ["name", "findings", "newest", "largest"] as const;
export type Sort = (typeof SORTS)[number];

interface Props {
  project: string;
  q: string;
  onFilter: (q: string) => void;
  problem?: Problem | null;
  findings: readonly Finding[];
  onFinding: (code: string) => void;
  sort: Sort;
  onSort: (sort: Sort) => void;
  size: number;
  onSize: (size: number) => void;
  touch: boolean;
  onTouch: (touch: boolean) => void;
  sideList: boolean;
  onSideList: (shown: boolean) => void;
  inspector: boolean;
  onInspector: (shown: boolean) => void;
  duplicates: number;
  onDuplicates: () => void;
}

/** Above the gallery: what is shown of the pictures, and how. */
export function GridBar(props: Props) {
  const { t } = useTranslation("images");
  return (
    <div className={classes.bar}>
      <div className={classes.filter}>
        <FilterField
          project={props.project}
          filter={props.q}
          onFilter={props.onFilter}
          problem={props.problem}
          findings={props.findings}
          onFinding={props.onFinding}
        />
      </div>
      <NativeSelect
        size="sm"
        aria-label={t("sort")}
        value={props.sort}
        data={SORTS.map((sort) => ({ value: sort, label: t(`sort_${sort}`) }))}
        onChange={(event) => props.onSort(event.currentTarget.value as Sort)}
      />
      {props.duplicates > 0 && (
        <Button size="sm" variant="default" leftSection={<Copy size={14} aria-hidden />} onClick={props.onDuplicates}>
          {t("duplicates", { count: props.duplicates })}
        </Button>
      )}
      <AddPictures project={props.project} compact />
      <span className={classes.gap} />
      <div className={classes.looks}>
        <TileSize size={props.size} onSize={props.onSize} />
        <Switch words={t("touch")} on={props.touch} onChange={props.onTouch} icon={<Pointer size={18} />} />
        <Switch words={t("side_list")} on={props.sideList} onChange={props.onSideList} icon={<PanelLeft size={18} />} />
        <Switch words={t("inspector")} on={props.inspector} onChange={props.onInspector} icon={<PanelRight size={18} />} />
      </div>
    </div>
  );
}

function Switch(props: { words: string; on: boolean; onChange: (on: boolean) => void; icon: React.ReactNode }) {
  return (
    <Tooltip label={props.words}>
      <ActionIcon
        variant={props.on ? "light" : "subtle"}
        color={props.on ? undefined : "gray"}
        size="var(--hit)"
        aria-label={props.words}
        aria-pressed={props.on}
        onClick={() => props.onChange(!props.on)}
      >
        {props.icon}
      </ActionIcon>
    </Tooltip>
  );
}
