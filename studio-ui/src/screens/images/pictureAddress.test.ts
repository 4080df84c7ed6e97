import { expect, test } from "vitest";
import { pictureAddress, pictureAt, renamedTo } from "./pictureAddress";

test.each(["1.png", "5_mimi/a b.png", "10% odd #1/ü & x?.png", "%23.png", "a+b=c.png", "画像/一.png"])(
  "%s has an address that leads to it",
  (picture) => {
    const { pathname, search } = new URL(pictureAddress("mimi", picture, "crop"), "http://localhost");
    expect(pictureAt(pathname)).toBe(picture);
    expect(search).toBe("?tool=crop");
  },
);

test("a picture that another ending was given is found, and no other", () => {
  const ids = ["a.b/cat.png", "a.c/dog.png", "cat.webp"];
  expect(renamedTo("a.b/cat.jpg", ids)).toBe("a.b/cat.png");
  expect(renamedTo("a.b/cat.png", ids)).toBeUndefined();
  expect(renamedTo("a.b/dog.jpg", ids)).toBeUndefined();
});
