/** LoRAs in use, as they stand in the address: `mimi:0.8,ink:1`. */

export interface Use {
  /** Its name in the library. */
  name: string;
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
      if (at < 0 || part.slice(at + 1) === "" || !Number.isFinite(weight)) return { name: decoded(part), weight: USUAL_WEIGHT };
      return { name: decoded(part.slice(0, at)), weight };
    });
}

export function usesAs(uses: readonly Use[]): string {
  return uses.map(({ name, weight }) => `${encodeURIComponent(name)}:${weight}`).join(",");
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // typed by hand, with a % in it
  }
}
