/** The files that were dropped or chosen, folders with all that is in them. */

export interface Gathered {
  file: File;
  /** Its name with its folders. */
  name: string;
}

/** What was dropped. It must be called while the event is being handled: the browser forgets what was dropped afterwards. */
export async function gatherDropped(transfer: DataTransfer): Promise<Gathered[]> {
  const gathered = await Promise.all([...transfer.items].filter((item) => item.kind === "file").map(filesOfItem));
  return gathered.flat().filter(isWanted);
}

/** What was chosen in the browser's dialog for files or a folder. */
export function gatherChosen(files: FileList): Gathered[] {
  return [...files].map((file) => ({ file, name: file.webkitRelativePath || file.name })).filter(isWanted);
}

/** The name that a project might have: that of the folder or of the one archive. "" where several were dropped. */
export function nameOf(gathered: readonly Gathered[]): string {
  const first = gathered[0]?.name ?? "";
  const folder = first.includes("/") ? first.slice(0, first.indexOf("/")) : "";
  if (folder) return gathered.every(({ name }) => name.startsWith(`${folder}/`)) ? folder : "";
  return gathered.length === 1 ? first.replace(/\.(zip|tar|tgz|tar\.gz)$/i, "").replace(/\.\w+$/, "") : "";
}

function isWanted({ name }: Gathered): boolean {
  return !name.split("/").some((part) => part.startsWith(".") || part === "__MACOSX" || part === "Thumbs.db");
}

function filesOfItem(item: DataTransferItem): Promise<Gathered[]> | Gathered[] {
  const [entry, file] = [item.webkitGetAsEntry(), item.getAsFile()];
  if (entry) return filesOf(entry);
  return file ? [{ file, name: file.name }] : []; // what is in no folder, such as a picture dragged out of a page
}

async function filesOf(entry: FileSystemEntry): Promise<Gathered[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
    return [{ file, name: entry.fullPath.replace(/^\//, "") }];
  }
  const inside: Gathered[] = [];
  for (const one of await entriesOf((entry as FileSystemDirectoryEntry).createReader())) inside.push(...(await filesOf(one)));
  return inside;
}

/** A folder's entries, which the browser gives out a hundred at a time. */
async function entriesOf(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
  return some.length === 0 ? [] : [...some, ...(await entriesOf(reader))];
}
