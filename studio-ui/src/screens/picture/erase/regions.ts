import type { MendChange } from "../../../components/changes";
import type { Box, Size } from "../box";

/** What is to be erased, beside boxes: outlines, and what was painted with a brush. Points are in the picture's pixels. */

export type Point = readonly [x: number, y: number];

/** What one draws with. */
export type Pen = "box" | "outline" | "brush";

export const PENS: readonly Pen[] = ["box", "outline", "brush"];

export interface Stroke {
  points: readonly Point[];
  /** Of the brush, in pixels of the picture. */
  width: number;
}

export interface Regions {
  outlines: readonly (readonly Point[])[];
  strokes: readonly Stroke[];
  /** In which order they were drawn, so that the last one can be taken back. */
  drawn: readonly ("outline" | "stroke")[];
}

export const NO_REGIONS: Regions = { outlines: [], strokes: [], drawn: [] };

export const CORNERS = 3; // that an outline has at least

export function withOutline(before: Regions, outline: readonly Point[]): Regions {
  return outline.length < CORNERS ? before : { ...before, outlines: [...before.outlines, outline], drawn: [...before.drawn, "outline"] };
}

export function withStroke(before: Regions, stroke: Stroke): Regions {
  return { ...before, strokes: [...before.strokes, stroke], drawn: [...before.drawn, "stroke"] };
}

/** Without what was drawn last. */
export function withoutLast(before: Regions): Regions {
  const drawn = before.drawn.slice(0, -1);
  return before.drawn.at(-1) === "outline"
    ? { ...before, outlines: before.outlines.slice(0, -1), drawn }
    : { ...before, strokes: before.strokes.slice(0, -1), drawn };
}

/** Whole pixels within the picture. */
export function inPicture([x, y]: Point, { width, height }: Size): Point {
  return [Math.round(Math.min(Math.max(x, 0), width - 1)), Math.round(Math.min(Math.max(y, 0), height - 1))];
}

/** Whether a point closes an outline: it is near to the first one. */
export function closes(outline: readonly Point[], [x, y]: Point, within: number): boolean {
  const [first] = outline;
  return first !== undefined && outline.length >= CORNERS && Math.hypot(first[0] - x, first[1] - y) <= within;
}

/** Erasing as the studio takes it; undefined where nothing is drawn. `painted` is a PNG in base64, "" for none. */
export function erasing(boxes: readonly Box[], { outlines }: Regions, painted: string): MendChange | undefined {
  const parameters = {
    ...(boxes.length > 0 && { boxes: boxes.map((box) => [...box]) }),
    ...(outlines.length > 0 && { polygons: outlines.map((outline) => outline.map((point) => [...point])) }),
    ...(painted !== "" && { painted }),
  };
  return Object.keys(parameters).length > 0 ? { way: "erase", parameters } : undefined;
}
