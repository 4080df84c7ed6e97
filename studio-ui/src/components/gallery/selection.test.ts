import { expect, test } from "vitest";
import { all, broughtBack, choose, cleared, inverted, NOTHING, stand } from "./selection";

const ids = ["a", "b", "c", "d", "e"];
const chosen = (selection: { chosen: ReadonlySet<string> }) => [...selection.chosen].sort().join("");

test("a click selects one alone", () => {
  const one = choose(choose(NOTHING, ids, "a"), ids, "c");
  expect(chosen(one)).toBe("c");
  expect(one.place).toBe("c");
});

test("with Ctrl the others stay, and a second time takes it out", () => {
  const two = choose(choose(NOTHING, ids, "a"), ids, "c", { toggle: true });
  expect(chosen(two)).toBe("ac");
  expect(chosen(choose(two, ids, "c", { toggle: true }))).toBe("a");
});

test("with Shift everything from the anchor is selected, in both directions, and the anchor stays", () => {
  const down = choose(choose(NOTHING, ids, "c"), ids, "e", { range: true });
  expect(chosen(down)).toBe("cde");
  expect(chosen(choose(down, ids, "a", { range: true }))).toBe("abc");
});

test("with Ctrl and Shift a second range joins the first", () => {
  const first = choose(choose(NOTHING, ids, "a"), ids, "b", { range: true });
  const second = choose(choose(first, ids, "d", { toggle: true }), ids, "e", { range: true, toggle: true });
  expect(chosen(second)).toBe("abde");
});

test("a range whose anchor is not shown any more begins at the click", () => {
  expect(chosen(choose(choose(NOTHING, ["x"], "x"), ids, "b", { range: true }))).toBe("b");
});

test("the keyboard moves without selecting", () => {
  const moved = stand(choose(NOTHING, ids, "a"), "d");
  expect(chosen(moved)).toBe("a");
  expect(moved.place).toBe("d");
});

test("several that one wrong click let go of come back", () => {
  const wrong = choose(all(NOTHING, ids), ids, "b");
  expect(chosen(wrong)).toBe("b");
  expect(chosen(broughtBack(wrong))).toBe("abcde");
  expect(chosen(broughtBack(broughtBack(wrong)))).toBe("b");
});

test("going through pictures one by one does not forget the several", () => {
  let selection = all(NOTHING, ids);
  for (const id of ids) selection = choose(selection, ids, id);
  expect(chosen(broughtBack(selection))).toBe("abcde");
});

test("inverting selects the others of what is shown", () => {
  expect(chosen(inverted(choose(NOTHING, ids, "b"), ids))).toBe("acde");
  expect(chosen(cleared(all(NOTHING, ids)))).toBe("");
});
