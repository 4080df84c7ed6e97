import { expect, test } from "vitest";
import type { Shape } from "../../api/client";
import { addressOf } from "./stage";

const project = (stage: string, running: string | null = null) =>
  ({ id: "mimi cat", standing: { stage, running, pictures: 3, captioned: 0, runs: 0 } }) as unknown as Shape<"ProjectView">;

test.each([
  ["pictures", "/projects/mimi%20cat/images"],
  ["captions", "/projects/mimi%20cat/captions"],
  ["train", "/projects/mimi%20cat/train"],
  ["proven", "/projects/mimi%20cat/proof"],
])("a project at %s goes on at %s", (stage, address) => expect(addressOf(project(stage))).toBe(address));

test("a project that trains goes on at its run", () => {
  expect(addressOf(project("running", "first"))).toBe("/runs/mimi%20cat~first");
});

test("one that cannot be read is shown where its files are", () => {
  expect(addressOf({ id: "x", standing: null } as unknown as Shape<"ProjectView">)).toBe("/projects/x/images");
});
