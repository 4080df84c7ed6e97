import type { Shape } from "../api/client";

type Project = Pick<Shape<"ProjectView">, "id" | "folder" | "dataset">;

/** Whether a path begins at the top: of the disk, of one of Windows' (`C:`), or of another machine's (`\\server`). */
export function isFullPath(path: string): boolean {
  return /^([\\/]|[A-Za-z]:)/.test(path);
}

/** The full path of a project's pictures. */
export function picturesFolder({ folder, dataset }: Omit<Project, "id">): string {
  return isFullPath(dataset) ? dataset : `${folder}/${dataset}`;
}

/** The folders whose files a person knows by the rest of their path, the innermost first: the pictures', the project's, the workspace's. */
export function knownFolders({ id, folder, dataset }: Project): string[] {
  const inWorkspace = `/projects/${id}`;
  const workspace = folder.endsWith(inWorkspace) ? [folder.slice(0, -inWorkspace.length)] : [];
  return [picturesFolder({ folder, dataset }), folder, ...workspace];
}

/** What comes behind a folder's name where the sentence is of the folder itself. */
const ENDS = /(?=$|[\s,;:!?)'"”]|\.(?:\s|$))/;

/** A sentence with paths as a person knows them: `/home/me/lora/projects/mimi/dataset/0.png` as `0.png`. A command between backticks keeps its own. */
export function shortened(text: string, folders: readonly string[]): string {
  return text
    .split("`")
    .map((part, at) => (at % 2 === 1 ? part : folders.reduce(withoutFolder, part)))
    .join("`");
}

/** What is in a folder without the folder's path, and the folder itself by its name. */
function withoutFolder(text: string, folder: string): string {
  const [first = "", ...more] = text.replaceAll(`${folder}/`, "").split(folder);
  const name = folder.split("/").at(-1) ?? folder;
  return more.reduce((before, after) => before + (after.search(ENDS) === 0 ? name : folder) + after, first);
}
