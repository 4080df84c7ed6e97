import { expect, test } from "vitest";
import { knownFolders, picturesFolder, shortened } from "./paths";

const folders = knownFolders({ id: "mimi", folder: "/home/me/lora/projects/mimi", dataset: "dataset" });

test("files are called as a person knows them", () => {
  expect(
    shortened("/home/me/lora/projects/mimi/dataset/5_mimi/0.png is the same file as /home/me/lora/projects/mimi/dataset/1.png.", folders),
  ).toBe("5_mimi/0.png is the same file as 1.png.");
  expect(shortened("/home/me/lora/projects/mimi/dataset is empty.", folders)).toBe("dataset is empty.");
  expect(shortened("Too few (in /home/me/lora/projects/mimi/dataset): add some.", folders)).toBe("Too few (in dataset): add some.");
  expect(shortened("/home/me/lora/projects/mimi/dataset-old is left alone.", folders)).toBe("dataset-old is left alone.");
  expect(shortened("/home/me/lora/loras/a.safetensors is damaged.", folders)).toBe("loras/a.safetensors is damaged.");
  expect(shortened("/models/sdxl.safetensors is not there.", folders)).toBe("/models/sdxl.safetensors is not there.");
});

test.each([
  ["dataset", "/lora/projects/mimi/dataset"],
  ["/photos/cat", "/photos/cat"],
  ["C:\\photos\\cat", "C:\\photos\\cat"],
  ["\\\\server\\photos\\cat", "\\\\server\\photos\\cat"],
])("the pictures in %s are in %s", (dataset, place) => {
  expect(picturesFolder({ folder: "/lora/projects/mimi", dataset })).toBe(place);
});

test("a command keeps the path that it needs", () => {
  const words = "Tag them (`lorasmith captions tag /home/me/lora/projects/mimi/dataset`).";
  expect(shortened(words, folders)).toBe(words);
});

test("pictures that lie elsewhere are called by their path below that folder", () => {
  const elsewhere = knownFolders({ id: "mimi", folder: "/home/me/lora/projects/mimi", dataset: "/photos/cat" });
  expect(shortened("/photos/cat/0.png has no caption.", elsewhere)).toBe("0.png has no caption.");
});
