import { expect, test } from "vitest";
import en from "../words/en/keys.json";
import { KEYS } from "./keys";
import { pressOf } from "./press";

const none = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false };

test.each([
  [{ ...none, key: "k", ctrlKey: true }, "Ctrl+K"],
  [{ ...none, key: "k", metaKey: true }, "Ctrl+K"],
  [{ ...none, key: "Z", ctrlKey: true, shiftKey: true }, "Ctrl+Shift+Z"],
  [{ ...none, key: "?", shiftKey: true }, "?"],
  [{ ...none, key: "r" }, "r"],
  [{ ...none, key: "R", shiftKey: true }, "Shift+R"],
  [{ ...none, key: " " }, "Space"],
  [{ ...none, key: "ArrowDown", shiftKey: true }, "Shift+ArrowDown"],
])("%o is written %s", (event, written) => {
  expect(pressOf(event)).toBe(written);
});

test("every key says what it does", () => {
  const words = en as Record<string, string>;
  for (const key of Object.values(KEYS).flat()) expect(words[key.does], key.does).toBeTruthy();
});

test("no key does two things in one place", () => {
  for (const [where, keys] of Object.entries(KEYS)) {
    const pressed = keys.map((key) => key.press);
    expect(new Set(pressed).size, where).toBe(pressed.length);
  }
});
