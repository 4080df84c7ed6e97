import type { Shape } from "../../api/client";

const LARGE = 1024; // pixels of the longer side of a thumbnail that is looked at large

type Picture = Pick<Shape<"PictureItem">, "url" | "thumbnail" | "width" | "height">;

/**
 * The address of a picture to be looked at large: its own, where it is no larger than the thumbnail would be, which is lossy; undefined where
 * it cannot be read. What it holds is in the address, so that it is fetched again when it has changed under the same name.
 */
export function largePicture({ url, thumbnail, width, height }: Picture): string | undefined {
  if (!thumbnail) return undefined;
  if (!width || !height || Math.max(width, height) > LARGE) return `${thumbnail}?s=${LARGE}`;
  return `${url}?of=${thumbnail.split("/").at(-1)?.slice(0, 16)}`;
}
