import { expect, test } from "vitest";
import { basesFor } from "./found";

const bases = [
  { source: "/models/one/anime.safetensors", name: "anime", title: "Stable Diffusion XL" },
  { source: "owner/photo", name: "owner/photo", title: "Stable Diffusion 1.x" },
];
const all = bases.map(({ source }) => source);

test.each([
  ["", all],
  ["anim", all.slice(0, 1)],
  ["diffusion 1", all.slice(1)],
  ["MODELS/", all.slice(0, 1)],
  ["owner/photo", all],
  ["owner/other", []],
])("bases are found by name, family and place, and all of them once one is chosen", (typed, found) => {
  expect(basesFor(typed, bases)).toEqual(found);
});
