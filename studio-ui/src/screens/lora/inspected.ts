import type { Shape } from "../../api/client";

type Finding = Shape<"FindingView">;

/** What a program does with a file. */
export interface Program {
  version: string;
  verdict: "all" | "part" | "wrong" | "none" | "unknown" | "family";
  loads: number;
  layers: number;
  findings: Finding[];
}

/** What a LoRA file says of itself, in one line. */
export interface Said {
  key: string;
  group: string;
  title: string;
  text: string;
}

/** What is in a LoRA file, as `GET /api/library/{id}` says it. */
export interface Inspected {
  file: string;
  made_for: string;
  parts: Record<string, number>;
  kinds: Record<string, number>;
  ranks: Record<string, number>;
  alphas: Record<string, number>;
  names: string[];
  precisions: Record<string, number>;
  parameters: number;
  bytes: number;
  programs: Record<string, Program>;
  notes: string[];
  said: Said[];
  metadata: Record<string, string>;
}

export function inspectedOf(data: Record<string, unknown>): Inspected {
  return data as unknown as Inspected;
}

/** The entries of which key or value has every word that is searched for. */
export function entriesWith(metadata: Record<string, string>, search: string): [string, string][] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return Object.entries(metadata).filter(([key, value]) => words.every((word) => `${key} ${value}`.toLowerCase().includes(word)));
}

const SHOWN_OF_VALUE = 400;

export function shortened(value: string): string {
  return value.length > SHOWN_OF_VALUE ? `${value.slice(0, SHOWN_OF_VALUE)} …` : value;
}

/** A value with a line for each of its parts, where it is a list or a table as JSON; as it is, where the words for it leave most out; else undefined. */
export function wholeOf(value: string, words: string): string | undefined {
  try {
    const read: unknown = JSON.parse(value);
    if (typeof read === "object" && read !== null && Object.keys(read).length > 0) return JSON.stringify(read, null, 2);
  } catch {
    // it is no JSON
  }
  return words === value && value.length > SHOWN_OF_VALUE ? value : undefined;
}
