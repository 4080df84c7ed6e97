import { expect, test } from "vitest";
import { filesOf, type Gathered, gatherChosen, nameOf } from "./gather";

const gathered = (...names: string[]) => names.map((name) => ({ name, file: { name } as File })) satisfies Gathered[];

test.each([
  [["mimi/1.png", "mimi/more/2.png"], "mimi"],
  [["mimi.zip"], "mimi"],
  [["mimi.tar.gz"], "mimi"],
  [["1.png", "2.png"], ""],
  [["a/1.png", "b/1.png"], ""],
  [[], ""],
])("what is called %j has the name %j", (names, name) => {
  expect(nameOf(gathered(...names))).toBe(name);
});

test("files that systems hide in folders stay out", () => {
  const files = ["1.png", ".DS_Store", "Thumbs.db"].map((name) => ({ name, webkitRelativePath: `mimi/${name}` }));
  expect(gatherChosen(files as unknown as FileList).map(({ name }) => name)).toEqual(["mimi/1.png"]);
});

/** Entries of a drop, as a browser gives them; a folder's are given out two at a time. */
const fileEntry = (fullPath: string, readable = true) =>
  ({
    isFile: true,
    fullPath,
    file: (done: (file: File) => void, failed: (error: Error) => void) =>
      readable ? done({ name: fullPath } as File) : failed(new Error("NotReadableError")),
  }) as unknown as FileSystemEntry;
const folderEntry = (fullPath: string, inside: FileSystemEntry[], readable = true) => {
  const left = [...inside];
  const readEntries = (done: (some: FileSystemEntry[]) => void, failed: (error: Error) => void) =>
    readable ? done(left.splice(0, 2)) : failed(new Error("NotReadableError"));
  return { isFile: false, fullPath, createReader: () => ({ readEntries }) } as unknown as FileSystemEntry;
};

test("what cannot be read in a folder is named, and the rest comes", async () => {
  const found = await filesOf(
    folderEntry("/mimi", [
      fileEntry("/mimi/1.png"),
      fileEntry("/mimi/2.png", false),
      folderEntry("/mimi/locked", [fileEntry("/mimi/locked/3.png")], false),
      folderEntry("/mimi/more", [fileEntry("/mimi/more/4.png")]),
    ]),
  );
  expect(found.map(({ name, file }) => [name, file !== undefined])).toEqual([
    ["mimi/1.png", true],
    ["mimi/2.png", false],
    ["mimi/locked", false],
    ["mimi/more/4.png", true],
  ]);
});
