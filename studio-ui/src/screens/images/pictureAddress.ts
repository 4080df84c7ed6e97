/** The address of one picture of a project, with a tool in hand. */
export function pictureAddress(project: string, picture: string, tool = ""): string {
  const path = picture.split("/").map(encodeURIComponent).join("/");
  return `/projects/${encodeURIComponent(project)}/images/${path}${tool && `?tool=${tool}`}`;
}
