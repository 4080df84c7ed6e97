/** How a picture lies in its frame: moved by pixels, and enlarged from its middle. */
export interface View {
  x: number;
  y: number;
  scale: number;
}

export const WHOLE: View = { x: 0, y: 0, scale: 1 };

const [LEAST, MOST] = [1, 16];

/** The view enlarged by a factor, with the middle of the frame staying where it is; whole again at the least scale. */
export function zoomed(view: View, factor: number): View {
  const scale = Math.max(LEAST, Math.min(MOST, view.scale * factor));
  if (scale === LEAST) return WHOLE;
  const by = scale / view.scale;
  return { x: view.x * by, y: view.y * by, scale };
}
