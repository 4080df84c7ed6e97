import { expect, test } from "vitest";
import { largePicture } from "./largePicture";

const content = "0123456789abcdef".repeat(4);
const picture = { url: "/files/projects/mimi/pictures/a%20b.png", thumbnail: `/files/thumbs/${content}.webp`, width: 1024, height: 768 };

test("a picture that is no larger than its large thumbnail is looked at itself, again when it has changed", () => {
  expect(largePicture(picture)).toBe(`${picture.url}?of=0123456789abcdef`);
});

test("a larger one is looked at by its thumbnail, and so is one whose size is not known", () => {
  expect(largePicture({ ...picture, height: 1025 })).toBe(`${picture.thumbnail}?s=1024`);
  expect(largePicture({ ...picture, width: null })).toBe(`${picture.thumbnail}?s=1024`);
});

test("one that cannot be read is not looked at", () => {
  expect(largePicture({ ...picture, thumbnail: null })).toBeUndefined();
});
