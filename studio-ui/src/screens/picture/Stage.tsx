import { useElementSize } from "@mantine/hooks";
import { type PointerEvent, type ReactNode, useRef } from "react";
import { useTranslation } from "react-i18next";
import { StudioImage } from "../../components/image/StudioImage";
import { type Box, drawn, HANDLES, type Handle, heightOf, moved, pulled, type Size, SMALLEST, widthOf } from "./box";
import classes from "./Stage.module.css";
import type { Boxes } from "./useBoxes";

interface Props {
  src: string;
  alt: string;
  size: Size;
  boxes: Boxes;
  /** Width by height that boxes keep. */
  ratio?: number;
  /** Dragging on the picture draws another box. */
  draws?: boolean;
  /** What is left of the box in its bucket. */
  inside?: Box;
  /** How boxes look: what is kept, what is painted over, what is cut out. */
  look: "crop" | "erase" | "split";
  /** What lies over the picture, below the boxes. */
  children?: ReactNode;
}

type Grip = { index: number; handle?: Handle; box: Box; from: readonly [number, number] } | { from: readonly [number, number] };

/** A picture as large as its place, with boxes on it that are drawn, dragged and pulled by their handles. */
export function Stage({ src, alt, size, boxes, ratio, draws, inside, look, children }: Props) {
  const { t } = useTranslation("picture");
  const { ref, width, height } = useElementSize<HTMLDivElement>();
  const sheet = useRef<HTMLDivElement>(null);
  const grip = useRef<Grip>(undefined);
  const scale = Math.min(width / size.width, height / size.height) || 0;

  const at = (event: PointerEvent): [number, number] => {
    const corner = (sheet.current as HTMLElement).getBoundingClientRect();
    return [(event.clientX - corner.left) / scale, (event.clientY - corner.top) / scale];
  };

  function down(event: PointerEvent) {
    const touched = (event.target as HTMLElement).dataset;
    const index = Number(touched.box ?? -1);
    const box = boxes.boxes[index];
    if (!box && !draws) return;
    (sheet.current as HTMLElement).setPointerCapture(event.pointerId);
    grip.current = box ? { index, handle: touched.handle as Handle | undefined, box, from: at(event) } : { from: at(event) };
    boxes.setActive(box ? index : -1);
  }

  function move(event: PointerEvent) {
    const held = grip.current;
    if (!held) return;
    const to = at(event);
    const [dx, dy] = [to[0] - held.from[0], to[1] - held.from[1]];
    if ("box" in held) {
      boxes.change(held.index, held.handle ? pulled(held.box, held.handle, dx, dy, size, ratio) : moved(held.box, dx, dy, size));
    } else if (Math.abs(dx) >= SMALLEST && Math.abs(dy) >= SMALLEST) {
      const box = drawn(held.from, to, size);
      boxes.add(box);
      grip.current = { index: boxes.boxes.length, handle: handleTowards(dx, dy), box, from: to };
    }
  }

  return (
    <div ref={ref} className={classes.stage}>
      <div
        ref={sheet}
        className={classes.sheet}
        data-look={look}
        data-draws={draws || undefined}
        style={{ width: size.width * scale, height: size.height * scale }}
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={() => {
          grip.current = undefined;
        }}
      >
        <StudioImage src={src} alt={alt} draggable={false} />
        {children}
        {boxes.boxes.map((box, index) => (
          <div
            // biome-ignore lint/suspicious/noArrayIndexKey: boxes are told apart by their place alone
            key={index}
            className={classes.box}
            data-box={index}
            data-active={index === boxes.active || undefined}
            style={placed(box, scale)}
          >
            <span className={classes.size}>{t("pixels", { width: widthOf(box), height: heightOf(box) })}</span>
            {HANDLES.map((handle) => (
              <i key={handle} className={classes.handle} data-box={index} data-handle={handle} />
            ))}
          </div>
        ))}
        {inside && <div className={classes.inside} style={placed(inside, scale)} />}
      </div>
    </div>
  );
}

function handleTowards(dx: number, dy: number): Handle {
  return `${dy < 0 ? "n" : "s"}${dx < 0 ? "w" : "e"}`;
}

function placed(box: Box, scale: number): React.CSSProperties {
  return { left: box[0] * scale, top: box[1] * scale, width: widthOf(box) * scale, height: heightOf(box) * scale };
}
