import i18next from "i18next";
import { wordsAt } from "./resources";

/** What a problem says. The studio says all in English, with code and values; a language has words for the codes that people meet. */
export function problemWords(told: { code: string; detail: string; values?: Record<string, unknown> }): string {
  const words = wordsAt(i18next.language, "problems", told.code.split("."));
  if (typeof words !== "string") return told.detail;
  const slots = [...words.matchAll(/\{\{(\w+)\}\}/g)].map(([, slot]) => told.values?.[slot as string]);
  if (slots.some((value) => typeof value !== "string" && typeof value !== "number")) return told.detail;
  return words.replace(/\{\{(\w+)\}\}/g, (_, slot: string) => String(told.values?.[slot]));
}

/** What the button of something says that can be done about a problem. */
export function actionWords(label: string): string {
  const words = wordsAt(i18next.language, "problems", ["action", label]);
  return typeof words === "string" ? words : label;
}
