import { expect, test } from "vitest";
import type { Json } from "../../components/fields/json";
import type { Job } from "../../components/jobs/useJob";
import { askedFor, baseOf, drawing, folderOf, type Picture } from "./drawing";
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

test("the same drawing has the same folder, another one another, and one with other files another", () => {
  const folder = folderOf(drawing(picture, []), "1a");
  expect(folderOf(drawing({ ...picture }, []), "1a")).toBe(folder);
  expect(folderOf(drawing({ ...picture, seed: 8 }, []), "1a")).not.toBe(folder);
  expect(folderOf(drawing(picture, []), "1b")).not.toBe(folder);
  expect(folder).toMatch(/^playground\/[0-9a-z]+-1a$/);
});

test("an earlier picture with LoRAs has beside it the latest one without them that was there before", () => {
  const loras = [{ file: "/loras/a.safetensors", strength: 0.5 }];
  const job = (id: number, asked: Record<string, unknown>, state = "done") =>
    ({ id, kind: "sample", state, arguments: asked }) as unknown as Job;
  const bare: Record<string, Json> = { ...drawing(picture, []), out: "playground/base" };
  const { base: source, ...rest } = bare; // as the studio sends it: in another order
  const withLoras = job(5, drawing(picture, loras));
  const jobs = [
    job(1, bare),
    job(2, { ...rest, base: source }),
    job(3, bare, "failed"),
    job(4, drawing({ ...picture, seed: 8 }, [])),
    withLoras,
    job(6, bare),
  ];
  expect(baseOf(withLoras, jobs)?.id).toBe(2);
  expect(baseOf(withLoras, [withLoras, job(6, bare)])).toBeUndefined();
});

test("what a drawing was asked for comes back whole", () => {
  const loras = [{ file: "/loras/a.safetensors", strength: 0.5 }];
  const again = askedFor(drawing(picture, loras));
  expect(again).toEqual({ picture: { ...picture, prompt: "a cat at night" }, loras });
  expect(drawing(again.picture, again.loras)).toEqual(drawing(picture, loras));
});
