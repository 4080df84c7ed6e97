import { expect, test } from "vitest";
import { folderOf, freeName } from "./names";

test.each([
  ["Mimi v2", "Mimi-v2"],
  ["../secret/", "secret"],
  ["ミミ 水彩", "ミミ-水彩"],
  ["a:b*c?", "a-b-c"],
])("the run %s has the folder %s", (name, folder) => {
  expect(folderOf(name)).toBe(folder);
});

test("a name that is taken gets a number", () => {
  expect(freeName("mimi", new Set())).toBe("mimi");
  expect(freeName("mimi", new Set(["mimi", "mimi-2"]))).toBe("mimi-3");
});
