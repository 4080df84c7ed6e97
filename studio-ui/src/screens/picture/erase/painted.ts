import type { Size } from "../box";
import type { Stroke } from "./regions";

/** The strokes in white on black, at the picture's own size, as a PNG in base64; "" where there are none. */
export function painted(strokes: readonly Stroke[], { width, height }: Size): string {
  if (strokes.length === 0) return "";
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const pen = canvas.getContext("2d");
  if (!pen) return "";
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, width, height);
  pen.strokeStyle = "#fff";
  pen.lineCap = pen.lineJoin = "round";
  for (const { points, width: thick } of strokes) {
    pen.lineWidth = thick;
    pen.beginPath();
    for (const [x, y] of points) pen.lineTo(x + 0.5, y + 0.5);
    if (points.length === 1) pen.lineTo((points[0]?.[0] ?? 0) + 0.51, (points[0]?.[1] ?? 0) + 0.5); // a touch is a dot
    pen.stroke();
  }
  const [, base64 = ""] = canvas.toDataURL("image/png").split(",");
  return base64;
}
