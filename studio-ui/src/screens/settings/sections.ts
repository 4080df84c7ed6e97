import { Box, FolderOpen, type LucideIcon, Maximize2, Palette, Tags, WholeWord } from "lucide-react";

export type ModelKind = "base" | "tagger" | "vocabulary" | "upscaler";

/** The sections of the settings: the last part of their address, and what each has. */
export const SECTIONS = {
  appearance: { icon: Palette },
  folders: { icon: FolderOpen },
  bases: { icon: Box, kind: "base" },
  taggers: { icon: Tags, kind: "tagger" },
  vocabularies: { icon: WholeWord, kind: "vocabulary" },
  upscalers: { icon: Maximize2, kind: "upscaler" },
} as const satisfies Record<string, { icon: LucideIcon; kind?: ModelKind }>;

export type Section = keyof typeof SECTIONS;

/** The section of an address; the first one where it has none. */
export function sectionOf(name: string | undefined): Section {
  return name !== undefined && name in SECTIONS ? (name as Section) : "appearance";
}
