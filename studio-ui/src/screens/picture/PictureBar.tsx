import { ActionIcon, Tooltip } from "@mantine/core";
import {
  ArrowLeft,
  ChevronLeft,
  ChevronRight,
  Crop,
  Eraser,
  Eye,
  EyeOff,
  FlipHorizontal2,
  type LucideIcon,
  RotateCcw,
  RotateCw,
  SquareSplitHorizontal,
  Trash2,
} from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import classes from "./Picture.module.css";
import type { Tool } from "./tool";

interface Props {
  facts: Shape<"PictureFacts">;
  tool: Tool | "";
  onTool: (tool: Tool | "") => void;
  onOpen: (picture: string | undefined) => unknown;
  onGrid: () => void;
  onFlip: () => void;
  onRotate: (degrees: 90 | 270) => void;
  onHoldOut: () => void;
  onRemove: () => void;
  previous?: string;
  next?: string;
  place: string;
}

/** Back to the gallery, the neighbours, and the tools. */
export function PictureBar(props: Props) {
  const { t } = useTranslation("picture");
  const { facts, tool, onTool, onOpen, previous, next } = props;
  const readable = facts.width !== null;
  const choose = (name: Tool) => () => onTool(tool === name ? "" : name);
  return (
    <header className={classes.bar}>
      <Action icon={ArrowLeft} words={t("to_grid")} onClick={props.onGrid} />
      <Action icon={ChevronLeft} words={t("previous")} onClick={() => onOpen(previous)} disabled={previous === undefined} />
      <Action icon={ChevronRight} words={t("next")} onClick={() => onOpen(next)} disabled={next === undefined} />
      <h1 className={classes.name}>{facts.id}</h1>
      <span className="soft small">{props.place}</span>
      <span className={classes.gap} />
      <Action icon={Crop} words={t("crop")} onClick={choose("crop")} on={tool === "crop"} disabled={!readable} />
      <Action icon={Eraser} words={t("erase")} onClick={choose("erase")} on={tool === "erase"} disabled={!readable} />
      <Action icon={SquareSplitHorizontal} words={t("split")} onClick={choose("split")} on={tool === "split"} disabled={!readable} />
      <Action icon={FlipHorizontal2} words={t("flip")} onClick={props.onFlip} disabled={!readable} />
      <Action icon={RotateCcw} words={t("rotate_left")} onClick={() => props.onRotate(270)} disabled={!readable} />
      <Action icon={RotateCw} words={t("rotate_right")} onClick={() => props.onRotate(90)} disabled={!readable} />
      <Action
        icon={facts.held_out ? Eye : EyeOff}
        words={facts.held_out ? t("images:take_back") : t("images:hold_out")}
        onClick={props.onHoldOut}
      />
      <Action icon={Trash2} words={t("images:remove")} onClick={props.onRemove} />
    </header>
  );
}

function Action(props: { icon: LucideIcon; words: string; onClick: () => void; on?: boolean; disabled?: boolean }) {
  const Icon = props.icon;
  return (
    <Tooltip label={props.words}>
      <ActionIcon
        variant={props.on ? "filled" : "subtle"}
        color={props.on ? undefined : "gray"}
        size="var(--hit)"
        aria-label={props.words}
        aria-pressed={props.on}
        onClick={props.onClick}
        disabled={props.disabled}
      >
        <Icon size={18} />
      </ActionIcon>
    </Tooltip>
  );
}
