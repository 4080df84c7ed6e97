import { expect, test } from "vitest";
import { entriesWith } from "./inspected";

const metadata = { "modelspec.title": "Mimi", ss_network_dim: "16", ss_tag_frequency: '{"mimi": 3}' };

test("metadata are found by key and by value", () => {
  expect(entriesWith(metadata, "mimi").map(([key]) => key)).toEqual(["modelspec.title", "ss_tag_frequency"]);
  expect(entriesWith(metadata, "network 16").map(([key]) => key)).toEqual(["ss_network_dim"]);
  expect(entriesWith(metadata, "")).toHaveLength(3);
});
