/** Tags of a caption: reading, comparing and ordering them. */

const WORD = /\p{L}{2}/u; // a face such as ^_^ has none, and its underscore is meant as it is

/** The tags in a line: what is between commas, without the spaces around it. */
export function tagsOf(line: string): string[] {
  return line
    .split(",")
    .map((tag) => tag.trim())
    .filter(Boolean);
}

/** The tag as captions have it: `long_hair_(cosplay)` as `long hair (cosplay)`. */
export function withSpaces(tag: string): string {
  const bare = tag.replaceAll("\\(", "(").replaceAll("\\)", ")");
  return WORD.test(bare) ? bare.replaceAll("_", " ").trim() || bare : bare;
}

/** What tags are compared by: neither underscores nor capitals make another tag. */
export function keyOfTag(tag: string): string {
  return withSpaces(tag).toLowerCase();
}

/** The tags with further ones behind them; those that are there already stay where they are. */
export function withTags(tags: readonly string[], further: readonly string[]): string[] {
  const there = new Set(tags.map(keyOfTag));
  const lacking = further.filter((tag) => !there.has(keyOfTag(tag)) && there.add(keyOfTag(tag)));
  return [...tags, ...lacking];
}

/** The tags with the one at `from` moved to the place `to`, which is counted without it. */
export function moved(tags: readonly string[], from: number, to: number): string[] {
  const rest = tags.filter((_, index) => index !== from);
  return [...rest.slice(0, to), tags[from] as string, ...rest.slice(to)];
}

/** The triggers that stand in front, and the tags behind them. A trigger elsewhere is a tag like others. */
export function splitTriggers(tags: readonly string[], triggers: readonly string[]): [string[], string[]] {
  const known = new Set(triggers);
  const end = tags.findIndex((tag) => !known.has(tag));
  return end < 0 ? [[...tags], []] : [tags.slice(0, end), tags.slice(end)];
}

/** The tag line of a text is its first line that is not blank: its number, or 0. */
function tagLine(lines: readonly string[]): number {
  return Math.max(
    0,
    lines.findIndex((line) => line.trim()),
  );
}

/** The tags of a caption's text: those of its first line that is not blank. */
export function tagsOfText(text: string): string[] {
  const lines = text.split("\n");
  return tagsOf(lines[tagLine(lines)] ?? "");
}

/** The text with other tags on its line of tags; the other lines stay. */
export function textWithTags(text: string, tags: readonly string[]): string {
  const lines = text.split("\n");
  const at = tagLine(lines);
  const tight = (lines[at] ?? "").includes(",") && !(lines[at] ?? "").includes(", ");
  lines[at] = tags.join(tight ? "," : ", ");
  return lines.join("\n");
}

const WORDS_OF_A_SENTENCE = 6;

/** Whether a text is told in sentences, not in tags. */
export function isSentences(text: string): boolean {
  return tagsOfText(text).some((part) => part.split(/\s+/).length >= WORDS_OF_A_SENTENCE);
}
