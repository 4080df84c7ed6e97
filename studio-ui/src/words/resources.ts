/** The page's words. A screen has a file of its own in each language: `home:title` is `title` in words/en/home.json. */

type Words = Record<string, unknown>;

const files = import.meta.glob<Words>("./*/*.json", { eager: true, import: "default" });

/** Language -> file -> its words. */
export const resources: Record<string, Record<string, Words>> = {};
for (const [path, words] of Object.entries(files)) {
  const [, language, name] = path.match(/^\.\/(\w+)\/(\w+)\.json$/) as RegExpMatchArray;
  resources[language as string] = { ...resources[language as string], [name as string]: words };
}

/** What stands at a place of a file in a language: a text, or words by their keys; undefined where the language has nothing there. */
export function wordsAt(language: string | undefined, file: string, path: string[]): unknown {
  let found: unknown = resources[language ?? ""]?.[file];
  for (const part of path) found = typeof found === "object" && found !== null ? (found as Words)[part] : undefined;
  return found;
}
