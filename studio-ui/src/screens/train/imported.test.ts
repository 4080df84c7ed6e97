import { expect, test } from "vitest";
import { changesOf } from "./imported";

const recipe = {
  name: "mimi",
  cache: "cache",
  base: { path: "base", clip_skip: 1 },
  datasets: [{ path: "pictures", repeats: 10 }],
  captions: { trigger: "mimi" },
  network: { rank: 32, conv_rank: 8 },
  samples: { prompts: ["{trigger}"] },
};

test("base, pictures, name, trigger and prompts stay where a file has none of its own", () => {
  const imported = {
    ...recipe,
    name: "theirs",
    cache: "elsewhere",
    datasets: [{ path: "/theirs", flip_aug: true }],
    captions: {},
    network: { rank: 8 },
    samples: { prompts: [] },
  };
  expect(changesOf(recipe, imported)).toEqual({ "datasets.0.flip_aug": true, "network.rank": 8, "network.conv_rank": null });
});

test("prompts and trigger of the file are taken where it has some", () => {
  const imported = { ...recipe, captions: { trigger: "ohwx" }, samples: { prompts: ["ohwx, red"] } };
  expect(changesOf(recipe, imported)).toEqual({ "captions.trigger": "ohwx", "samples.prompts": ["ohwx, red"] });
});
