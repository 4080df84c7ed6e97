import { expect, test } from "vitest";
import { argumentsOf, isComplete, requestOf } from "./wanted";

const dropCommon = {
  properties: {
    above: { description: "A share.", exclusiveMaximum: 1, exclusiveMinimum: 0, type: "number" },
    keep: { default: [], description: "Tags that stay.", items: { type: "string" }, type: "array" },
    after: { anyOf: [{ type: "string" }, { type: "null" }], default: null },
    by: { default: "name", enum: ["name", "frequency"], type: "string" },
    reverse: { default: false, type: "boolean" },
    tokens: { anyOf: [{ minimum: 1, type: "integer" }, { type: "null" }], default: null },
  },
  required: ["above"],
};

test("arguments are read from the schema, also those that may be null", () => {
  const read = argumentsOf(dropCommon);
  expect(read.map((one) => one.kind)).toEqual(["number", "tags", "words", "choice", "yes", "number"]);
  expect(read[0]).toMatchObject({ required: true, least: 0, most: 1, whole: false, description: "A share." });
  expect(read[3]?.choices).toEqual(["name", "frequency"]);
  expect(read[5]).toMatchObject({ least: 1, whole: true, required: false });
});

test("an edit is complete when all that it must have is given", () => {
  const read = argumentsOf(dropCommon);
  expect(isComplete(read, {})).toBe(false);
  expect(isComplete(read, { above: 0.9 })).toBe(true);
  const regex = argumentsOf({
    properties: { pattern: { type: "string" }, replacement: { type: "string" } },
    required: ["pattern", "replacement"],
  });
  expect(isComplete(regex, { pattern: "a", replacement: "" })).toBe(true);
  expect(isComplete(regex, { pattern: "", replacement: "" })).toBe(false);
});

test.each([
  ["selection", { where: null, paths: ["a.png"] }],
  ["filter", { where: "tag:hat", paths: [] }],
  ["all", { where: null, paths: [] }],
] as const)("an edit of %s asks for just that", (scope, asked) => {
  expect(requestOf({ edit: "dedupe", arguments: {} }, scope, "tag:hat", ["a.png"])).toMatchObject(asked);
});
