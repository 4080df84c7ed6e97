/** What goes and what comes between two captions, by their tags. */

export interface Part {
  kind: "stays" | "goes" | "comes";
  text: string;
}

/** The parts of both texts in reading order. Tags are compared as wholes; a tag that moves goes at one place and comes at another. */
export function differenceOf(before: string, after: string): Part[] {
  const [old, now] = [piecesOf(before), piecesOf(after)];
  const common = commonAfter(old, now);
  const parts: Part[] = [];
  const add = (kind: Part["kind"], text: string) => {
    const last = parts.at(-1);
    if (last?.kind === kind) last.text += text;
    else parts.push({ kind, text });
  };
  let [at, to] = [0, 0];
  while (at < old.length || to < now.length) {
    const [gone, come] = [old[at], now[to]];
    if (gone !== undefined && come !== undefined && tagIn(gone) === tagIn(come)) {
      add("stays", come);
      [at, to] = [at + 1, to + 1];
    } else if (gone !== undefined && (come === undefined || common(at + 1, to) >= common(at, to + 1))) {
      add("goes", gone);
      at += 1;
    } else {
      add("comes", come as string);
      to += 1;
    }
  }
  return parts;
}

/** Tags, each with the comma and the spaces behind it. */
function piecesOf(text: string): string[] {
  return (text.match(/[^,\n]*(?:,\s*|\n|$)/g) ?? []).filter(Boolean);
}

function tagIn(piece: string): string {
  return piece.replace(/,\s*$/, "").trim();
}

/** How many pieces in order both have in common from two places on. */
function commonAfter(old: readonly string[], now: readonly string[]): (at: number, to: number) => number {
  const table = Array.from({ length: old.length + 2 }, () => new Array<number>(now.length + 2).fill(0));
  const read = (at: number, to: number) => table[at]?.[to] ?? 0;
  for (let at = old.length - 1; at >= 0; at--) {
    for (let to = now.length - 1; to >= 0; to--) {
      const same = tagIn(old[at] as string) === tagIn(now[to] as string);
      (table[at] as number[])[to] = same ? read(at + 1, to + 1) + 1 : Math.max(read(at + 1, to), read(at, to + 1));
    }
  }
  return read;
}
