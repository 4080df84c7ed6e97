import { expect, test } from "vitest";
import type { Shape } from "../../api/client";
import { needALook, safeMends } from "./safeMends";

function finding(rule: string, subjects: string[], ways: string[], more: Partial<Shape<"FindingView">> = {}): Shape<"FindingView"> {
  return {
    code: `audit.${rule}`,
    severity: "warning",
    message: "",
    about: "picture",
    subjects,
    evidence: null,
    why: "",
    fix: { words: "", changes: ways.map((way) => ({ kind: "mend", way, parameters: {} })) },
    source: "",
    confidence: 1,
    details: [],
    ...more,
  };
}

test("pictures with the same safe changes are mended together, each change once", () => {
  const found = safeMends([
    finding("transparent", ["a.png"], ["flatten"]),
    finding("letterbox", ["b.png"], ["bars"]),
    finding("transparent", ["c.png"], ["flatten"]),
    finding("letterbox", ["c.png"], ["bars"]),
    finding("transparent", ["d.png"], ["flatten"]),
  ]);
  expect(found.map(({ pictures, changes }) => [pictures, changes.map(({ way }) => way)])).toEqual([
    [["a.png", "d.png"], ["flatten"]],
    [["b.png"], ["bars"]],
    [["c.png"], ["flatten", "bars"]],
  ]);
});

test("what loses something, or has nothing to do, is not mended without asking", () => {
  expect(safeMends([finding("too_small", ["a.png"], ["upscale"]), finding("dark", ["a.png"], [])])).toEqual([]);
  expect(safeMends([finding("near_duplicate", ["a.png", "b.png"], ["duplicates"]), finding("x", [], ["bars"], { about: "set" })])).toEqual(
    [],
  );
});

test("notes do not need a look", () => {
  const found = [finding("dark", ["a.png", "b.png"], []), finding("greyscale", ["c.png"], [], { severity: "note" })];
  expect([...needALook(found)]).toEqual(["a.png", "b.png"]);
});
