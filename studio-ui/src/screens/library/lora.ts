import i18next from "i18next";
import type { Look } from "../../components/gallery/Tile";
import { SIGNS } from "../../components/severity";
import type { Lora } from "./useLoras";

/** A fact of a LoRA as text; "" where the file says nothing of it. */
export function fact(lora: Lora, name: string): string {
  const value = lora.facts[name];
  if (Array.isArray(value)) return value.join(", ");
  return value === null || value === undefined ? "" : String(value);
}

/** What it is called: its title, or its file's name where it has none. */
export function titleOf(lora: Lora): string {
  return fact(lora, "title") || lora.name;
}

function rankOf(lora: Lora): string {
  const rank = fact(lora, "ranks");
  return rank && i18next.t("library:of_rank", { rank });
}

/** How it looks in a gallery, where it goes by this name. */
export function loraLook(lora: Lora, called = lora.name): Look {
  return {
    picture: lora.preview ?? undefined,
    letters: lora.name,
    name: [called, fact(lora, "base"), lora.problem].filter(Boolean).join(", "),
    words: called,
    strip: lora.problem
      ? `${SIGNS.error} ${lora.problem}`
      : [fact(lora, "family"), fact(lora, "kinds"), rankOf(lora)].filter(Boolean).join(" · "),
    tone: lora.problem ? "error" : undefined,
  };
}
