/** What is selected in a gallery, where its keyboard stands, and what clicks and keys make of that. */

export interface Selection {
  chosen: ReadonlySet<string>;
  /** Where the keyboard stands; "" before anything was clicked. */
  place: string;
  /** Where a range begins. */
  anchor: string;
  /** Several that were chosen before a click let go of them. */
  last: ReadonlySet<string>;
}

export const NOTHING: Selection = { chosen: new Set(), place: "", anchor: "", last: new Set() };

export interface How {
  /** Ctrl: the others stay as they are. */
  toggle?: boolean;
  /** Shift: everything from the anchor to here. */
  range?: boolean;
}

/** A click on a tile, or a key that leads there. */
export function choose(before: Selection, ids: readonly string[], id: string, { toggle, range }: How = {}): Selection {
  if (range) return { ...chosen(before, [...(toggle ? before.chosen : []), ...between(ids, before.anchor, id)]), place: id };
  const next = toggle ? toggled(before.chosen, id) : [id];
  return { ...chosen(before, next), place: id, anchor: id };
}

/** The keyboard goes to a tile, and what is selected stays. */
export function stand(before: Selection, id: string): Selection {
  return { ...before, place: id, anchor: id };
}

/** Everything that is shown. */
export function all(before: Selection, ids: readonly string[]): Selection {
  return chosen(before, ids);
}

/** What was selected is not, and the other way round, among what is shown. */
export function inverted(before: Selection, ids: readonly string[]): Selection {
  return chosen(
    before,
    ids.filter((id) => !before.chosen.has(id)),
  );
}

export function cleared(before: Selection): Selection {
  return chosen(before, []);
}

/** The several that were let go of are selected again; these take their place. */
export function broughtBack(before: Selection): Selection {
  return before.last.size > 0 ? { ...before, chosen: before.last, last: before.chosen } : before;
}

function chosen(before: Selection, ids: Iterable<string>): Selection {
  const next = new Set(ids);
  const lost = [...before.chosen].filter((id) => !next.has(id)).length;
  return { ...before, chosen: next, last: lost > 1 ? before.chosen : before.last };
}

function toggled(chosen: ReadonlySet<string>, id: string): Set<string> {
  const next = new Set(chosen);
  if (!next.delete(id)) next.add(id);
  return next;
}

function between(ids: readonly string[], one: string, other: string): readonly string[] {
  const [from, to] = [ids.indexOf(one), ids.indexOf(other)];
  if (from < 0) return [other];
  return ids.slice(Math.min(from, to), Math.max(from, to) + 1);
}
