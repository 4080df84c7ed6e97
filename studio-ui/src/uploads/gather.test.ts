import { expect, test } from "vitest";
import { type Gathered, gatherChosen, nameOf } from "./gather";

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
