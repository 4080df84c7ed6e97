import { expect, test } from "vitest";
import { divideByJob } from "./enlarging";

const small = {
  pictures: ["1_a/small.png"],
  changes: [
    { way: "bars", parameters: {} },
    { way: "upscale", parameters: { pixels: 512 } },
  ],
};
const clear = { pictures: ["1_a/clear.png", "b.png"], changes: [{ way: "flatten", parameters: {} }] };

test("Lanczos enlarges at once", () => {
  expect(divideByJob([small, clear], "")).toEqual([[small, clear], []]);
});

test("a network enlarges by a job, with all that is to be done to those pictures; the others are mended at once", () => {
  const network = "/models/4x.safetensors";
  const changes = [
    { way: "bars", parameters: {} },
    { way: "upscale", parameters: { pixels: 512, network } },
  ];
  expect(divideByJob([small, clear], network)).toEqual([[clear], [{ pictures: ["1_a/small.png"], changes }]]);
});
