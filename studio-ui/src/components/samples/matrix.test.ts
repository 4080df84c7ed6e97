import { expect, test } from "vitest";
import { cellOf, matrixOf, moved, nameOf } from "./matrix";

const pictures = [
  { url: "a", epoch: 0, prompt: "cat" },
  { url: "b", epoch: 0, prompt: "dog" },
  { url: "c", epoch: 1, prompt: "dog" },
];
const matrix = matrixOf(pictures, { row: (one) => String(one.epoch), column: (one) => one.prompt, url: (one) => one.url });

test("pictures stand in their rows and columns, and a missing one leaves its place empty", () => {
  expect(matrix).toEqual({
    rows: ["0", "1"],
    columns: ["cat", "dog"],
    cells: [
      ["a", "b"],
      [null, "c"],
    ],
  });
});

test("arrows move, and stop at the edges", () => {
  expect(moved({ row: 0, column: 0 }, "ArrowRight", matrix)).toEqual({ row: 0, column: 1 });
  expect(moved({ row: 1, column: 1 }, "ArrowRight", matrix)).toEqual({ row: 1, column: 1 });
  expect(moved({ row: 0, column: 1 }, "ArrowUp", matrix)).toEqual({ row: 0, column: 1 });
  expect(moved({ row: 0, column: 1 }, "End", matrix)).toEqual({ row: 1, column: 1 });
});

test.each([
  ["1,1", { row: 1, column: 1 }],
  ["1,2", undefined],
  ["", undefined],
  ["x", undefined],
  ["-1,0", undefined],
  ["0.5,0", undefined],
])("%s is a cell, or none", (text, cell) => expect(cellOf(text, matrix)).toEqual(cell));

test("Page Up and Page Down lead to the same place in the block before and after, where there are blocks", () => {
  const blocks = { ...matrix, rows: ["a", "b", "c", "d"], block: 2 };
  expect(moved({ row: 1, column: 1 }, "PageDown", blocks)).toEqual({ row: 3, column: 1 });
  expect(moved({ row: 3, column: 1 }, "PageDown", blocks)).toEqual({ row: 3, column: 1 });
  expect(moved({ row: 2, column: 0 }, "PageUp", blocks)).toEqual({ row: 0, column: 0 });
  expect(moved({ row: 1, column: 0 }, "PageDown", matrix)).toEqual({ row: 1, column: 0 });
});

test("a cell is called by its row and its column, where something is said of them", () => {
  expect(nameOf({ row: 1, column: 0 }, matrix)).toBe("1 · cat");
  expect(nameOf({ row: 0, column: 0 }, { ...matrix, rows: [""] })).toBe("cat");
});
