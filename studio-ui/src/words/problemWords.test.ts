import i18next from "i18next";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Problem } from "../api/problem";
import { actionWords } from "./problemWords";
import { resources } from "./resources";

beforeEach(() => i18next.init({ resources: resources as never, lng: "ja", fallbackLng: "en", interpolation: { escapeValue: false } }));
afterEach(() => i18next.changeLanguage("en"));

const problem = (code: string, values = {}) =>
  new Problem({ ...Problem.unreachable().told, code, values, detail: "There is a project 'mimi' already." });

test("a problem is said in the page's language, whichever that is when it is read", async () => {
  const found = problem("project.exists", { project: "mimi" });
  expect(found.message).toBe("プロジェクトmimiはすでにあります。別の名前を付けてください。");
  await i18next.changeLanguage("en");
  expect(found.message).toBe("There is a project 'mimi' already.");
});

test("what a language has no words for, or lacks a value of, is said as the studio says it", () => {
  expect(problem("settings.contradiction").message).toBe("There is a project 'mimi' already.");
  expect(problem("project.exists").message).toBe("There is a project 'mimi' already.");
  expect(problem("project").message).toBe("There is a project 'mimi' already.");
  expect([actionWords("Resume"), actionWords("Fly")]).toEqual(["再開", "Fly"]);
});

test("a studio that is away is said to be so in Japanese", () => {
  expect(Problem.unreachable().message).toContain("スタジオが応答しません");
});
