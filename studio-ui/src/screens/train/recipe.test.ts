import { expect, test } from "vitest";
import { recipeFile } from "./recipe";

test("what was changed becomes a recipe, without what is this project's alone", () => {
  const changes = {
    "network.rank": 24,
    "optimizer.args": { betas: [0.9, 0.99] },
    "datasets.0.repeats": 4,
    "captions.trigger": "mimi",
    "network.alpha": null,
  };
  expect(recipeFile("style/sdxl/standard", changes)).toBe(
    'begin_with = "style/sdxl/standard"\n\n[settings]\n"network.rank" = 24\n"optimizer.args" = { "betas" = [0.9, 0.99] }\n"datasets.repeats" = 4\n',
  );
});
