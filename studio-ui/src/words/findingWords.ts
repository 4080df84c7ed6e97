import i18next from "i18next";
import { useTranslation } from "react-i18next";
import type { Shape } from "../api/client";
import { number, percent } from "../components/format";
import { settingChangesOf } from "../components/settingChanges";
import { wordsAt } from "./resources";

/** What a finding says. The package puts its sentences together in English, with all values; a language has some for each code. */

type Finding = Shape<"FindingView">;

export interface FindingWords {
  message: string;
  /** What was measured. */
  evidence: string;
  why: string;
  fix: string;
  /** All that the package says, where the words are the page's. */
  original?: string;
}

/** What a finding says in the page's language, where the page has words for its code; else as the package says it. */
export function findingWords(finding: Finding): FindingWords {
  const { code, message, why, fix } = finding;
  const evidence = finding.evidence?.text ?? "";
  const own = (part: string) => words(...code.split("."), part);
  if (own("message") === undefined) return { message, evidence, why, fix: fix?.words ?? "" };
  return {
    message: withSubjects(String(own("message")), finding),
    evidence: measured(finding) ?? evidence,
    why: own("why") ?? "",
    fix: fix || finding.subjects.length > 1 ? withChanges(own("fix") ?? fix?.words ?? "", finding) : "", // many together have theirs in the message
    original: [message, evidence, why, fix?.words].filter(Boolean).join(" "),
  };
}

/** What a code says by itself: of a check that may be switched off, or of a group. */
export function messageOf(code: string, english: string): string {
  return words(...code.split("."), "message") ?? english;
}

/** The same functions as a hook: the component renders again when the language changes. */
export function useFindingWords() {
  useTranslation();
  return { findingWords, messageOf };
}

/** How many it is about; of a file in a folder, which one. */
function withSubjects(message: string, { code, about, subjects }: Finding): string {
  if (message.includes("{{subjects}}")) return filled(message, { subjects: subjects.join(i18next.t("findings:comma")) });
  if (about === "setting" || about === "run") return message;
  if (subjects.length > 1) return filled(words("more", "subjects"), { message, count: number(subjects.length) });
  return code.startsWith("folder.") && subjects[0] ? filled(words("more", "subject"), { message, subject: subjects[0] }) : message;
}

/** The number with its unit; nothing where it only counts what it is about. */
function measured({ evidence, subjects }: Finding): string | undefined {
  if (!evidence) return undefined;
  if (evidence.number === subjects.length && subjects.length > 1) return "";
  const form = words("measured", evidence.unit);
  return form && filled(form, { number: number(evidence.number), percent: percent(evidence.number) });
}

/** What to do, with the values that a click sets. */
function withChanges(fix: string, finding: Finding): string {
  const changes = Object.entries(settingChangesOf(finding) ?? {}).filter(([, value]) => value !== null);
  if (changes.length === 0) return fix;
  return filled(words("more", "changes"), {
    fix,
    changes: changes.map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join(", "),
  });
}

function words(...path: string[]): string | undefined {
  const found = wordsAt(i18next.language, "advice", path);
  return typeof found === "string" ? found : undefined;
}

function filled(form: string | undefined, values: Record<string, string | undefined>): string {
  return (form ?? "").replace(/\{\{(\w+)\}\}/g, (_, slot: string) => values[slot] ?? "");
}
