import { expect, test } from "vitest";
import type { Shape } from "../../api/client";
import { byCheckpoint, byWeight } from "./pictures";

const proof = {
  recommended: "b.safetensors",
  weight: 0.8,
  prompts: [
    { name: "zorvex (seed 1)", group: "new", text: "zorvex", seed: 1, base: "base-1.png" },
    { name: "cat (seed 2)", group: "other", text: "cat", seed: 2, base: "base-2.png" },
  ],
  checkpoints: [
    { name: "epoch 1", called: { epoch: 1 }, file: "a.safetensors", pictures: {} },
    { name: "epoch 2", called: { epoch: 2 }, file: "b.safetensors", pictures: { "zorvex (seed 1)": "b-1.png" } },
  ],
  weights: [
    { weight: 1, pictures: { "zorvex (seed 1)": "one.png" } },
    { weight: 0.8, pictures: { "zorvex (seed 1)": "less.png" } },
  ],
} as unknown as Shape<"ProofView">;

test("checkpoints that were drawn stand below the base, the recommended one marked", () => {
  expect(byCheckpoint(proof, "new", "base")).toEqual({
    matrix: { rows: ["base", "epoch 2"], columns: ["zorvex (seed 1)"], cells: [["base-1.png"], ["b-1.png"]] },
    marked: [1],
  });
});

test("a picture that is missing leaves its place empty", () => {
  expect(byCheckpoint(proof, "other", "base").matrix.cells).toEqual([["base-2.png"], [null]]);
});

test("weights rise from the base, the recommended one marked", () => {
  expect(byWeight(proof, "new", "base", String)).toEqual({
    matrix: { rows: ["base", "0.8", "1"], columns: ["zorvex (seed 1)"], cells: [["base-1.png"], ["less.png"], ["one.png"]] },
    marked: [1],
  });
});
