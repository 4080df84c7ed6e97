import { expect, test } from "vitest";
import { changedBy, differences, leavesOf, nameOf, placesOf, type Tree, valueAt, withChanges, withValue } from "./tree";

const recipe: Tree = {
  name: "mimi",
  network: { rank: 32, alpha: 16, layers: [{ pattern: "*" }] },
  optimizer: { args: { weight_decay: 0.1 } },
  datasets: [
    { path: "a", repeats: 10 },
    { path: "b", is_reg: true },
  ],
};

test("a setting is found by its dotted name, that of a folder by its number", () => {
  expect(valueAt(recipe, "network.rank")).toBe(32);
  expect(valueAt(recipe, "datasets.1.path")).toBe("b");
  expect(valueAt(recipe, "network.rank.more")).toBeUndefined();
});

test("setting one leaves the rest, and the tree that it was", () => {
  const changed = withValue(recipe, "datasets.0.repeats", 4);
  expect(valueAt(changed, "datasets.0")).toEqual({ path: "a", repeats: 4 });
  expect(valueAt(recipe, "datasets.0.repeats")).toBe(10);
  expect(withValue({}, "flow.logit_mean", 1)).toEqual({ flow: { logit_mean: 1 } });
  expect(withValue(recipe, "network.alpha", null).network).toEqual({ rank: 32, layers: [{ pattern: "*" }] });
});

test("every setting has a name, and what is edited as a whole has one", () => {
  expect(leavesOf(recipe)).toEqual({
    name: "mimi",
    "network.rank": 32,
    "network.alpha": 16,
    "network.layers": [{ pattern: "*" }],
    "optimizer.args": { weight_decay: 0.1 },
    "datasets.0.path": "a",
    "datasets.0.repeats": 10,
    "datasets.1.path": "b",
    "datasets.1.is_reg": true,
  });
});

test("the difference from the recipe makes the same settings of it", () => {
  const wanted: Tree = { ...recipe, network: { rank: 8, layers: [] }, datasets: [{ path: "c", flip_aug: true }] };
  const changes = differences(recipe, wanted);
  expect(changes["network.alpha"]).toBeNull();
  expect(withChanges(recipe, changes)).toEqual(wanted);
  expect(differences(recipe, recipe)).toEqual({});
});

test("what is set back to the recipe's value is no change", () => {
  const changed = changedBy({}, "network.rank", 8, recipe);
  expect(changed).toEqual({ "network.rank": 8 });
  expect(changedBy(changed, "network.rank", 32, recipe)).toEqual({});
  expect(changedBy({ "schedule.lr_warmup_steps": 2 }, "schedule.lr_warmup_steps", null, recipe)).toEqual({});
});

test("a setting of all folders is one of each that is trained on for itself", () => {
  expect(placesOf("datasets.repeats", recipe)).toEqual(["datasets.0.repeats"]);
  expect(placesOf("datasets.1.repeats", recipe)).toEqual(["datasets.1.repeats"]);
  expect(placesOf("network.rank", recipe)).toEqual(["network.rank"]);
  expect(nameOf("datasets.12.repeats")).toBe("datasets.repeats");
});
