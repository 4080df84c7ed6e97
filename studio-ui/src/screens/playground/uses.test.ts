import { expect, test } from "vitest";
import { askedFor, drawing, folderOf, type Picture } from "./drawing";
import { usesAs, usesIn } from "./uses";

test.each([
  ["", []],
  ["mimi:0.8", [{ name: "mimi", weight: 0.8 }]],
  ["mimi", [{ name: "mimi", weight: 1 }]],
  [
    "mimi:-0.5,ink:1",
    [
      { name: "mimi", weight: -0.5 },
      { name: "ink", weight: 1 },
    ],
  ],
  ["a%2Cb%3Ac:2", [{ name: "a,b:c", weight: 2 }]],
  ["100%:1", [{ name: "100%", weight: 1 }]],
])("the address %s means these LoRAs", (text, uses) => {
  expect(usesIn(text)).toEqual(uses);
});

test("what is written into the address is read from it", () => {
  const uses = [{ name: "水彩, v2:final", weight: 0.75 }];
  expect(usesIn(usesAs(uses))).toEqual(uses);
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
