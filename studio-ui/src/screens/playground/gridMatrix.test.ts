import { expect, test } from "vitest";
import { gridMatrix } from "./gridMatrix";

const columns = ["weight 0.5", "weight 1"];

test("a grid of one axis has one row without a label, and is no block", () => {
  expect(gridMatrix({ columns, rows: [""], blocks: [""], cells: [[["a", "b"]]] })).toEqual({
    columns,
    rows: [""],
    cells: [["a", "b"]],
    block: undefined,
  });
});

test("blocks stand one below the other, and their rows are called by them", () => {
  const rows = ["seed 1", "seed 2"];
  const blocks = ["red hat", "blue hat"];
  const cells = [
    [
      ["a", "b"],
      ["c", "d"],
    ],
    [
      ["e", "f"],
      ["g", null],
    ],
  ];
  expect(gridMatrix({ columns, rows, blocks, cells })).toEqual({
    columns,
    rows: ["red hat · seed 1", "red hat · seed 2", "blue hat · seed 1", "blue hat · seed 2"],
    cells: [...(cells[0] ?? []), ...(cells[1] ?? [])],
    block: 2,
  });
});
