import { expect, test } from "vitest";
import { standingAfter } from "./standing";

test.each([
  [0, "waiting"],
  [401, "waiting"],
  [500, "waiting"],
  [503, "waiting"],
  [200, "again"],
  [304, "again"],
  [400, "gone"],
  [404, "gone"],
])("an image that did not come and is answered with %i is %s", (status, standing) => {
  expect(standingAfter(status, false)).toBe(standing);
});

test("what is there and yet no image is asked for once more, and not again after that", () => {
  expect(standingAfter(200, true)).toBe("gone");
  expect(standingAfter(0, true)).toBe("waiting");
});

test("every image of the page is a StudioImage: no other is asked for again", () => {
  const sources = import.meta.glob("../../**/*.tsx", { query: "?raw", import: "default", eager: true }) as Record<string, string>;
  const own = Object.keys(sources).filter((file) => /<img\b|<Image\b/.test(sources[file] as string));
  expect(own).toEqual(["./StudioImage.tsx"]);
});
