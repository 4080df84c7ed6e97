import { ActionIcon, CloseButton, Group, Modal } from "@mantine/core";
import { Maximize, ZoomIn, ZoomOut } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { StudioImage } from "../image/StudioImage";
import { type Cell, type Matrix, moved, nameOf } from "./matrix";
import classes from "./Viewer.module.css";
import { type View, WHOLE, zoomed } from "./zoom";

interface Props {
  matrix: Matrix;
  at: Cell | undefined;
  onMove: (cell: Cell) => void;
  onClose: () => void;
  /** The base's picture for the column, shown while `b` is held. */
  baseOf?: (cell: Cell) => string | null | undefined;
  /** What can be done with the picture that is shown. */
  actions?: (cell: Cell) => React.ReactNode;
}

const STEP = 1.25;

/**
 * One picture of a matrix, large. Arrows flip through its neighbours in place, Page Up and Page Down through its blocks, 1 to 9 jump to a
 * column, Space shows the last one and `b` the base while held; wheel and + - 0 zoom, dragging moves. The view stays as it is from picture to
 * picture. Space on a button presses it; a click on one leaves the focus where it was, so that Space then still compares.
 */
export function Viewer({ matrix, at, onMove, onClose, baseOf, actions }: Props) {
  const { t } = useTranslation("runs");
  const [view, setView] = useState<View>(WHOLE);
  const [held, setHeld] = useState<"" | "last" | "base">("");
  const last = useRef<Cell>(undefined);

  useEffect(() => {
    if (!at) return;
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return; // the browser's own: its zoom, its tabs
      if (event.key === " " && event.target instanceof HTMLButtonElement) return;
      const digit = Number(event.key);
      if (event.key === " ") setHeld("last");
      else if (event.key === "b" && baseOf) setHeld("base");
      else if (event.key === "+" || event.key === "=") setView((now) => zoomed(now, STEP));
      else if (event.key === "-") setView((now) => zoomed(now, 1 / STEP));
      else if (event.key === "0") setView(WHOLE);
      else if (digit >= 1 && digit <= matrix.columns.length) go({ row: at.row, column: digit - 1 });
      else {
        const next = moved(at, event.key, matrix);
        if (next.row === at.row && next.column === at.column) return;
        go(next);
      }
      event.preventDefault();
    };
    const go = (cell: Cell) => {
      last.current = at;
      onMove(cell);
    };
    const release = () => setHeld("");
    addEventListener("keydown", press);
    addEventListener("keyup", release);
    addEventListener("blur", release);
    return () => {
      removeEventListener("keydown", press);
      removeEventListener("keyup", release);
      removeEventListener("blur", release);
    };
  }, [at, matrix, onMove, baseOf]);

  if (!at) return null;
  const shown = held === "last" && last.current ? last.current : at;
  const url = (held === "base" && baseOf?.(at)) || matrix.cells[shown.row]?.[shown.column];
  const title = held === "base" ? t("base") : nameOf(shown, matrix);
  const keys = [t(baseOf ? "viewer_keys_base" : "viewer_keys"), matrix.block ? t("viewer_keys_blocks") : ""].filter(Boolean);

  function drag(event: React.PointerEvent<HTMLDivElement>): void {
    if (event.buttons !== 1) return;
    setView((now) => ({ ...now, x: now.x + event.movementX, y: now.y + event.movementY }));
  }

  return (
    <Modal
      opened
      onClose={onClose}
      fullScreen
      withCloseButton={false}
      returnFocus={false}
      padding={0}
      attributes={{ content: { "aria-label": title } }}
      classNames={{ body: classes.body, content: classes.content }}
    >
      <header className={classes.head}>
        <strong className={classes.title}>{title}</strong>
        <Group gap={4} wrap="nowrap" onMouseDown={(event) => event.preventDefault()}>
          {actions?.(at)}
          <ActionIcon
            variant="subtle"
            color="gray"
            size="var(--hit)"
            aria-label={t("zoom_out")}
            onClick={() => setView(zoomed(view, 1 / STEP))}
          >
            <ZoomOut size={18} />
          </ActionIcon>
          <ActionIcon variant="subtle" color="gray" size="var(--hit)" aria-label={t("zoom_in")} onClick={() => setView(zoomed(view, STEP))}>
            <ZoomIn size={18} />
          </ActionIcon>
          <ActionIcon variant="subtle" color="gray" size="var(--hit)" aria-label={t("zoom_whole")} onClick={() => setView(WHOLE)}>
            <Maximize size={18} />
          </ActionIcon>
          <CloseButton size="lg" onClick={onClose} aria-label={t("frame:close")} />
        </Group>
      </header>
      <div
        tabIndex={-1}
        data-autofocus
        className={classes.stage}
        onPointerMove={drag}
        onWheel={(event) => setView(zoomed(view, event.deltaY < 0 ? STEP : 1 / STEP))}
      >
        {url ? (
          <StudioImage
            src={url}
            alt={title}
            draggable={false}
            style={{
              transform: `translate(${view.x}px, ${view.y}px) scale(${view.scale})`,
              imageRendering: view.scale > 2 ? "pixelated" : undefined,
            }}
          />
        ) : (
          <p>{t("no_picture")}</p>
        )}
      </div>
      <p className={classes.foot}>{keys.join(" ")}</p>
    </Modal>
  );
}
