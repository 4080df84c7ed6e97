import i18next from "i18next";
import { useTranslation } from "react-i18next";
import type { Shape } from "../api/client";
import { number } from "../components/format";
import { wordsAt } from "./resources";

/** What the package says, in the page's language: it says all in English, and carries code and values for those who read another one. */

export type Said = Shape<"Said">;
type Values = Record<string, unknown>;

/** A sentence in the page's language where the page has it, else as the package said it. */
export function told(english: string, said: Said | null | undefined): string {
  return (said && worded(said.code.split("."), said.values)) ?? english;
}

/** What one of the package's names is called: `{epoch: 7}`, `{label: "good"}`. */
export function calledSo(named: Values, english: string): string {
  const [entry] = Object.entries(named);
  return (entry && nameOf(entry[0], entry[1])) ?? english;
}

/** A verdict's label in the page's language. */
export function labelled(label: string): string {
  return worded(["label", label], {}) ?? label;
}

/** What a label means, in the page's language. */
export function meant(label: string, english: string): string {
  return worded(["meaning", label], {}) ?? english;
}

/** The same functions as a hook: the component renders again when the language changes. */
export function useTold() {
  useTranslation();
  return { told, calledSo, labelled, meant };
}

/** The words of a key with its values; undefined where this language has none. */
function worded(key: string[], values: Values): string | undefined {
  const words = wordsAt(i18next.language, "sentences", key);
  if (typeof words !== "string") return undefined;
  return words.replace(/\{\{(\w+)\}\}/g, (_, slot: string) => inWords(values[slot]));
}

function inWords(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return number(Math.round(value * 100) / 100);
  if (Array.isArray(value)) return value.map(inWords).join("、");
  if (typeof value !== "object") return String(value);
  const [entry] = Object.entries(value);
  if (entry === undefined) return "";
  if (entry[0] === "sentence") return told("", entry[1] as Said);
  return nameOf(entry[0], entry[1]) ?? String(entry[1]);
}

function nameOf(kind: string, name: unknown): string | undefined {
  return worded([kind, String(name)], {}) ?? worded(["named", kind], { name });
}
