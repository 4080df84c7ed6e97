/** The files that were dropped or chosen, folders with all that is in them. */

export interface Gathered {
  /** Missing where the browser could not read it. */
  file?: File;
  /** Why it could not, for people. */
  unread?: string;
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

/** A file, or what is in a folder. One that cannot be read is named, and keeps nothing else from coming. */
export async function filesOf(entry: FileSystemEntry): Promise<Gathered[]> {
  const name = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed)).catch(() => undefined);
    return [{ file, name }];
  }
  const inside: Gathered[] = [];
  const entries = await entriesOf((entry as FileSystemDirectoryEntry).createReader()).catch(() => undefined);
  for (const one of entries ?? []) inside.push(...(await filesOf(one)));
  return entries ? inside : [{ name }];
}

/** A folder's entries, which the browser gives out a hundred at a time. */
async function entriesOf(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
  return some.length === 0 ? [] : [...some, ...(await entriesOf(reader))];
}
