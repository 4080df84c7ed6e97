import { expect, test } from "vitest";
import { lettersOf } from "./Letters";

test("letters are whole ones, of any script", () => {
  expect(lettersOf(" demo-000004")).toBe("de");
  expect(lettersOf("水彩画")).toBe("水彩");
  expect(lettersOf("🐱cat")).toBe("🐱c");
  expect(lettersOf("x")).toBe("x");
});
