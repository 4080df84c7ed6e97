import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { wordsAt } from "../../words/resources";
import { type Field, type Section, sectionsOf } from "./schema";

/** The settings' sections in the page's language: the schema has them in English, words/ja/settings_tree.json in Japanese. */

interface Words {
  label: string;
  says: string;
}

/** All sections of the settings with their fields, as the page's language calls them; each of `folders` datasets has one. */
export function useSections(schema: unknown, folders: number): Section[] {
  const { i18n } = useTranslation();
  return useMemo(() => sectionsOf(schema, folders).map((section) => inLanguage(section, i18n.language)), [schema, folders, i18n.language]);
}

/** A section as a language calls it; what the language has no words for stays in English. */
export function inLanguage(section: Section, language: string): Section {
  const name = section.name.split(".")[0] || "general";
  const description = wordsOf<string>(language, name, "says") ?? section.description;
  return { ...section, description, fields: section.fields.map((field) => fieldIn(field, name, language)) };
}

function fieldIn(field: Field, section: string, language: string): Field {
  const words = wordsOf<Words>(language, section, "settings", field.name.split(".").at(-1) ?? "");
  return words ? { ...field, label: words.label, description: words.says } : field;
}

function wordsOf<Kind>(language: string, ...path: string[]): Kind | undefined {
  return wordsAt(language, "settings_tree", path) as Kind | undefined;
}
