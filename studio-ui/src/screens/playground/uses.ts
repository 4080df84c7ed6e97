/** LoRAs in use, as they are in the address: `%2Floras%2Fmimi.safetensors:0.8,ink:1`. */

import { decoded } from "../../state/address";
import type { Lora } from "../library/useLoras";

export interface Use {
  /** The path of its file; its name where somebody typed that into the address. */
  lora: string;
  weight: number;
}

const USUAL_WEIGHT = 1;

export function usesIn(text: string): Use[] {
  return text
    .split(",")
    .filter(Boolean)
    .map((part) => {
      const at = part.lastIndexOf(":");
      const weight = Number(part.slice(at + 1));
      if (at < 0 || part.slice(at + 1) === "" || !Number.isFinite(weight)) return { lora: decoded(part), weight: USUAL_WEIGHT };
      return { lora: decoded(part.slice(0, at)), weight };
    });
}

export function usesAs(uses: readonly Use[]): string {
  return uses.map(({ lora, weight }) => `${encodeURIComponent(lora)}:${weight}`).join(",");
}

/** The file of the library that is meant, by its path or by a name that it alone has; else what is wrong, once the library is known. */
export function meantBy(
  { lora }: Use,
  library: readonly Pick<Lora, "name" | "file">[] | undefined,
): { file?: string; problem?: "not_in_library" | "several_of_name" } {
  const named = library?.filter(({ name }) => name === lora) ?? [];
  const file = library?.find((each) => each.file === lora)?.file ?? (named.length === 1 ? named[0]?.file : undefined);
  if (file !== undefined || library === undefined || lora === "") return { file };
  return { problem: named.length > 1 ? "several_of_name" : "not_in_library" };
}
