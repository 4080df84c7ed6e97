import { expect, test } from "vitest";
import { inLanguage } from "./inLanguage";
import { sectionsOf } from "./schema";
import { found } from "./search";

const schema = {
  properties: {
    name: { type: "string", description: "Name of the LoRA." },
    datasets: { type: "array", items: { $ref: "#/$defs/Dataset" } },
    optimizer: { $ref: "#/$defs/Optimizer" },
  },
  $defs: {
    Dataset: { properties: { repeats: { type: "integer", description: "Repeats." } } },
    Optimizer: {
      description: "Which optimizer.",
      properties: { learning_rate: { type: "number", description: "Learning rate." }, new_one: { type: "number", description: "New." } },
    },
  },
};

const inJapanese = () => sectionsOf(schema, 2).map((section) => inLanguage(section, "ja"));

test("settings have Japanese labels and descriptions, those of every folder too; what has none stays as it is", () => {
  const fields = inJapanese().flatMap((section) => section.fields);
  expect(fields.map(({ name, label }) => [name, label])).toEqual([
    ["name", "名前"],
    ["datasets.0.repeats", "繰り返し回数"],
    ["datasets.1.repeats", "繰り返し回数"],
    ["optimizer.learning_rate", "学習率"],
    ["optimizer.new_one", "New one"],
  ]);
  expect(inJapanese().at(-1)?.description).toBe("オプティマイザーと学習率。");
  expect(sectionsOf(schema, 1).map((section) => inLanguage(section, "en"))).toEqual(sectionsOf(schema, 1));
});

test("settings are found by their Japanese words as well as by their real names", () => {
  const names = (search: string) => found(inJapanese(), search).flatMap((section) => section.fields.map((field) => field.name));
  expect(names("学習率")).toEqual(["optimizer.learning_rate"]);
  expect(names("learning_rate")).toEqual(["optimizer.learning_rate"]);
  expect(names("繰り返し")).toEqual(["datasets.0.repeats", "datasets.1.repeats"]);
});
