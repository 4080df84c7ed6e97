import { expect, test } from "vitest";
import { entriesWith, shortened, wholeOf } from "./inspected";

const metadata = { "modelspec.title": "Mimi", ss_network_dim: "16", ss_tag_frequency: '{"mimi": 3}' };

test("metadata are found by key and by value", () => {
  expect(entriesWith(metadata, "mimi").map(([key]) => key)).toEqual(["modelspec.title", "ss_tag_frequency"]);
  expect(entriesWith(metadata, "network 16").map(([key]) => key)).toEqual(["ss_network_dim"]);
  expect(entriesWith(metadata, "")).toHaveLength(3);
});

test("a value that is a list or a table, or is long, can be seen whole", () => {
  expect(wholeOf('{"base": {"path": "x"}}', "base")).toBe('{\n  "base": {\n    "path": "x"\n  }\n}');
  expect(wholeOf("[512]", "512")).toBe("[\n  512\n]");
  for (const plain of ["16", "Mimi", "{}", "null", '"x"']) expect(wholeOf(plain, plain)).toBeUndefined();
  const long = "a ".repeat(300);
  expect(shortened(long)).toHaveLength(402);
  expect(wholeOf(long, long)).toBe(long);
  expect(wholeOf(`data:image/jpeg;base64,${"A".repeat(600)}`, "a picture (600 letters of data)")).toBeUndefined();
});
