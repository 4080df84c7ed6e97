import { expect, test } from "vitest";
import { askedFor, drawing, folderOf, type Picture } from "./drawing";
import { meantBy, usesAs, usesIn } from "./uses";

test.each([
  ["", []],
  ["mimi:0.8", [{ lora: "mimi", weight: 0.8 }]],
  ["mimi", [{ lora: "mimi", weight: 1 }]],
  [
    "mimi:-0.5,ink:1",
    [
      { lora: "mimi", weight: -0.5 },
      { lora: "ink", weight: 1 },
    ],
  ],
  ["a%2Cb%3Ac:2", [{ lora: "a,b:c", weight: 2 }]],
  ["100%:1", [{ lora: "100%", weight: 1 }]],
])("the address %s means these LoRAs", (text, uses) => {
  expect(usesIn(text)).toEqual(uses);
});

test("what is written into the address is read from it", () => {
  const uses = [{ lora: "水彩, v2:final", weight: 0.75 }];
  expect(usesIn(usesAs(uses))).toEqual(uses);
});

test("a LoRA is meant by its path, and by its name where no other has that", () => {
  const library = ["/old/mimi.safetensors", "/new/mimi.safetensors", "C:\\loras\\ink.safetensors"].map((file) => ({
    file,
    name: file.includes("mimi") ? "mimi" : "ink",
  }));
  const meant = (lora: string) => meantBy({ lora, weight: 1 }, library);
  expect(usesIn(usesAs([{ lora: "C:\\loras\\ink.safetensors", weight: 0.5 }])).map((use) => meantBy(use, library).file)).toEqual([
    "C:\\loras\\ink.safetensors",
  ]);
  expect(meant("/new/mimi.safetensors")).toEqual({ file: "/new/mimi.safetensors" });
  expect(meant("ink")).toEqual({ file: "C:\\loras\\ink.safetensors" });
  expect(meant("mimi")).toEqual({ problem: "several_of_name" });
  expect(meant("gone")).toEqual({ problem: "not_in_library" });
  expect(meant("")).toEqual({});
  expect(meantBy({ lora: "gone", weight: 1 }, undefined)).toEqual({});
});

const picture: Picture = {
  base: "models/base",
  prompt: "a cat\nat night",
  negative: "",
  seed: 7,
  sampler: "",
  steps: null,
  cfg: 4,
  width: null,
  height: 64,
};

test("a drawing asks for what was typed, and for nothing that was not", () => {
  const asked = drawing(picture, [{ file: "/loras/a.safetensors", strength: 0.5 }]);
  expect(asked).toMatchObject({
    prompts: ["a cat at night"],
    seed: 7,
    cfg_scale: 4,
    height: 64,
    loras: [{ file: "/loras/a.safetensors", strength: 0.5 }],
  });
  expect(Object.keys(asked)).not.toContain("sampler");
  expect(Object.keys(asked)).not.toContain("steps");
});

test("the same drawing has the same folder, another one another", () => {
  expect(folderOf(drawing(picture, []))).toBe(folderOf(drawing({ ...picture }, [])));
  expect(folderOf(drawing(picture, []))).not.toBe(folderOf(drawing({ ...picture, seed: 8 }, [])));
  expect(folderOf(drawing(picture, []))).toMatch(/^playground\/[0-9a-z]+$/);
});

test("what a drawing was asked for comes back whole", () => {
  const loras = [{ file: "/loras/a.safetensors", strength: 0.5 }];
  const again = askedFor(drawing(picture, loras));
  expect(again).toEqual({ picture: { ...picture, prompt: "a cat at night" }, loras });
  expect(folderOf(drawing(again.picture, again.loras))).toBe(folderOf(drawing(picture, loras)));
});
