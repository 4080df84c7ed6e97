import { decoded } from "../../state/address";

/** The address of one picture of a project, with a tool in hand. */
export function pictureAddress(project: string, picture: string, tool = ""): string {
  const path = picture.split("/").map(encodeURIComponent).join("/");
  return `/projects/${encodeURIComponent(project)}/images/${path}${tool && `?tool=${tool}`}`;
}

/** The picture of such an address, by its path as the browser has it. */
export function pictureAt(path: string): string {
  const [, encoded = ""] = path.match(/^\/projects\/[^/]+\/images\/(.+)$/) ?? [];
  return encoded.split("/").map(decoded).join("/");
}

/** What a picture is called now that is gone under this name: the one of the same name with another ending, as a mend by a job leaves it. */
export function renamedTo(picture: string, ids: readonly string[]): string | undefined {
  return ids.find((id) => id !== picture && withoutEnding(id) === withoutEnding(picture));
}

function withoutEnding(picture: string): string {
  return picture.replace(/\.[^./]+$/, "");
}
