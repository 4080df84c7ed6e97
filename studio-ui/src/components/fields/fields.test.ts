import { expect, test } from "vitest";
import { labelOf, sectionsOf } from "./schema";
import { found } from "./search";
import { read, written } from "./typed";

const schema = {
  properties: {
    version: { type: "integer" },
    name: { type: "string", default: "lora" },
    datasets: { type: "array", items: { $ref: "#/$defs/Dataset" } },
    training: { $ref: "#/$defs/Training" },
  },
  $defs: {
    Dataset: {
      properties: { resolution: { anyOf: [{ type: "integer" }, { type: "array", prefixItems: [{ type: "integer" }] }, { type: "null" }] } },
    },
    Training: {
      description: "How long.",
      properties: {
        epochs: { anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }], default: null, description: "Passes over the dataset." },
        mixed_precision: { enum: ["no", "bf16"], type: "string", default: "no" },
        torch_compile: { type: "boolean", default: false },
        batch_size: { type: "integer", default: 1, sd_scripts: ["train_batch_size"] },
        prompts: { type: "array", items: { type: "string" } },
        args: { type: "object", additionalProperties: {} },
        memory: { anyOf: [{ type: "string" }, { type: "number" }], default: "off" },
      },
    },
  },
};

const sections = sectionsOf(schema, 2);
const field = (name: string) => {
  const one = sections.flatMap((section) => section.fields).find((each) => each.name === name);
  if (!one) throw new Error(name);
  return one;
};

test("the schema becomes sections, each folder one of its own", () => {
  expect(sections.map((section) => section.name)).toEqual(["", "datasets.0", "datasets.1", "training"]);
  expect(sections[0]?.fields.map((each) => each.name)).toEqual(["name"]);
});

test("each setting gets the field that fits it", () => {
  expect(field("training.epochs")).toMatchObject({ kind: "number", optional: true });
  expect(field("training.mixed_precision")).toMatchObject({ kind: "choice", choices: ["no", "bf16"], optional: false });
  expect(field("training.torch_compile").kind).toBe("switch");
  expect(field("training.prompts").kind).toBe("lines");
  expect(field("training.args").kind).toBe("data");
  expect(field("training.memory").kind).toBe("text");
  expect(field("datasets.1.resolution")).toMatchObject({ kind: "text", optional: true });
});

test("a name is spelt in words", () => {
  expect(labelOf("optimizer.unet_lr")).toBe("U-Net learning rate");
  expect(labelOf("training.epochs")).toBe("Epochs");
});

test("settings are found by their real name, their words and what is said of them", () => {
  const names = (search: string) => found(sections, search).flatMap((section) => section.fields.map((each) => each.name));
  expect(names("torch_compile")).toEqual(["training.torch_compile"]);
  expect(names("torch compile")).toEqual(["training.torch_compile"]);
  expect(names("passes dataset")).toEqual(["training.epochs"]);
  expect(names("BF16")).toEqual(["training.mixed_precision"]);
  expect(names("train_batch_size")).toEqual(["training.batch_size"]);
  expect(names("no such thing")).toEqual([]);
  expect(found(sections, "  ")).toBe(sections);
});

test.each([
  ["1.5e-5", "training.epochs", 1.5e-5],
  ["", "training.epochs", null],
  ["1e-", "training.epochs", "1e-"],
  ["512, 768", "datasets.0.resolution", [512, 768]],
  ["512", "datasets.0.resolution", 512],
  ["auto", "training.memory", "auto"],
  ["a, b\nc", "training.prompts", ["a, b", "c"]],
  ["", "training.prompts", []],
  ['{"betas": [0.9, 0.99]}', "training.args", { betas: [0.9, 0.99] }],
  ["{", "training.args", "{"],
])("%s typed into %s is %o", (text, name, value) => {
  expect(read(text, field(name))).toEqual(value);
});

test("a value is written as it would be typed", () => {
  expect(written(0.000015, field("training.epochs"))).toBe("0.000015");
  expect(written([512, 768], field("datasets.0.resolution"))).toBe("512, 768");
  expect(written(["a", "b"], field("training.prompts"))).toBe("a\nb");
  expect(written(null, field("training.epochs"))).toBe("");
  expect(written({}, field("training.args"))).toBe("");
});
