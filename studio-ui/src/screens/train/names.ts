/** Names of runs: each is a folder of the project. */

/** A name as a folder: letters, digits, and hyphens for everything else. */
export function folderOf(name: string): string {
  return name
    .normalize("NFKC")
    .replace(/[^\p{L}\p{M}\p{N}._-]+/gu, "-")
    .replace(/^[-.]+|[-.]+$/g, "");
}

/** The first of `name`, `name-2`, `name-3` ... that is not taken. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let count = 2; taken.has(folderOf(free)); count++) free = `${name}-${count}`;
  return free;
}
