import type { Shape } from "../../api/client";
import type { Matrix } from "../../components/samples/matrix";

/** A grid's cells in rows and columns: its blocks one below the other, each row called by its block and by what varies along it. */
export function gridMatrix({ columns, rows, blocks, cells }: Shape<"GridView">): Matrix {
  return {
    columns,
    rows: blocks.flatMap((block) => rows.map((row) => [block, row].filter(Boolean).join(" · "))),
    cells: cells.flat(),
    block: blocks.length > 1 ? rows.length : undefined,
  };
}
