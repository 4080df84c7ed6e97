import { type PointerEvent, useRef, useState } from "react";
import type { Size } from "../box";
import classes from "./RegionLayer.module.css";
import { closes, inPicture, type Point } from "./regions";
import type { Drawing } from "./useRegions";

const NEAR = 10; // pixels of the screen within which a click closes an outline

/** Over a picture: outlines and strokes, and where the next one is drawn. With the pen for boxes it lets everything through. */
export function RegionLayer({ size, drawing }: { size: Size; drawing: Drawing }) {
  const { regions, pen, brush, open } = drawing;
  const layer = useRef<SVGSVGElement>(null);
  const [stroke, setStroke] = useState<readonly Point[]>([]);
  const [here, setHere] = useState<Point>();

  const scale = () => size.width / (layer.current as SVGSVGElement).getBoundingClientRect().width;
  function at(event: PointerEvent): Point {
    const corner = (layer.current as SVGSVGElement).getBoundingClientRect();
    return inPicture([(event.clientX - corner.left) * scale(), (event.clientY - corner.top) * scale()], size);
  }

  function down(event: PointerEvent): void {
    event.stopPropagation();
    const point = at(event);
    if (pen === "brush") {
      layer.current?.setPointerCapture(event.pointerId);
      setStroke([point]);
    } else if (closes(open, point, NEAR * scale())) drawing.close(open);
    else drawing.setOpen([...open, point]);
  }

  function move(event: PointerEvent): void {
    const point = at(event);
    setHere(point);
    if (stroke.length > 0) setStroke([...stroke, point]);
  }

  function up(): void {
    if (stroke.length > 0) drawing.paint({ points: stroke, width: brush });
    setStroke([]);
  }

  const strokes = stroke.length > 0 ? [...regions.strokes, { points: stroke, width: brush }] : regions.strokes;
  return (
    <svg
      ref={layer}
      className={classes.layer}
      data-pen={pen}
      viewBox={`0 0 ${size.width} ${size.height}`}
      aria-hidden
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={() => setStroke([])}
      onPointerLeave={() => setHere(undefined)}
    >
      {regions.outlines.map((outline, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: outlines have no other name
        <polygon key={index} points={outline.join(" ")} className={classes.outline} />
      ))}
      {strokes.map(({ points, width }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: strokes have no other name
        <polyline key={index} points={[...points, points.at(-1)].join(" ")} strokeWidth={width} className={classes.stroke} />
      ))}
      {open.length > 0 && <polyline points={[...open, ...(here ? [here] : [])].join(" ")} className={classes.open} />}
      {open[0] && <circle cx={open[0][0]} cy={open[0][1]} r={size.width / 120} className={classes.first} />}
      {pen === "brush" && here && <circle cx={here[0]} cy={here[1]} r={brush / 2} className={classes.brush} />}
    </svg>
  );
}
