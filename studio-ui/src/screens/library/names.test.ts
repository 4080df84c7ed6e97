import { expect, test } from "vitest";
import { namesOf } from "./names";

function names(...files: string[]): string[] {
  const named = (file: string) =>
    file
      .split(/[\\/]/)
      .at(-1)
      ?.replace(/\.\w+$/, "") ?? "";
  return [...namesOf(files.map((file, at) => ({ id: String(at), name: named(file), file }))).values()];
}

test("a LoRA whose name no other has is called by it alone", () => {
  expect(names("/loras/mimi.safetensors", "/loras/anna.safetensors")).toEqual(["mimi", "anna"]);
});

test("LoRAs of one name are told apart by as much of their folders as it takes", () => {
  expect(names("/loras/old/mimi.safetensors", "/loras/new/mimi.safetensors")).toEqual(["mimi (old)", "mimi (new)"]);
  expect(names("/a/x/mimi.safetensors", "/b/x/mimi.safetensors", "/b/y/mimi.safetensors")).toEqual([
    "mimi (a/x)",
    "mimi (b/x)",
    "mimi (y)",
  ]);
  expect(names("C:\\old\\mimi.safetensors", "C:\\new\\mimi.safetensors")).toEqual(["mimi (old)", "mimi (new)"]);
});

test("those of one folder are told apart by their files", () => {
  expect(names("/loras/mimi.safetensors", "/loras/mimi.pt")).toEqual(["mimi (/loras/mimi.safetensors)", "mimi (/loras/mimi.pt)"]);
});
