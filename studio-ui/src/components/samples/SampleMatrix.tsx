import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { StudioImage } from "../image/StudioImage";
import { type Cell, type Matrix, moved } from "./matrix";
import classes from "./SampleMatrix.module.css";
import { Viewer } from "./Viewer";

interface Props {
  matrix: Matrix;
  label: string;
  /** Pixels of a picture's side. */
  side: number;
  /** Rows that are marked, such as the recommended epoch. */
  marked?: readonly number[];
  /** The cell that is open in the viewer. */
  at: Cell | undefined;
  /** Called with the cell to be opened, or without one to close it. */
  onAt: (cell?: Cell) => void;
  /** The base's picture for the column, shown in the viewer while `b` is held. */
  baseOf?: (cell: Cell) => string | null | undefined;
}

/** All pictures at once, rows by columns. Arrows move, Enter opens one in the viewer, which gives the focus back to the one seen last. */
export function SampleMatrix({ matrix, label, side, marked = [], at, onAt, baseOf }: Props) {
  const { t } = useTranslation("runs");
  const table = useRef<HTMLTableElement>(null);
  const seen = useRef<Cell>(undefined);

  useEffect(() => {
    if (!at && seen.current) focus(table.current, seen.current);
    seen.current = at;
  }, [at]);

  function press(event: React.KeyboardEvent, cell: Cell): void {
    const next = moved(cell, event.key, matrix);
    if (next.row === cell.row && next.column === cell.column) return;
    event.preventDefault();
    focus(table.current, next);
  }

  return (
    <>
      <div className={classes.place} style={{ "--side": `${side}px` } as React.CSSProperties}>
        <table ref={table} className={classes.matrix} aria-label={label}>
          <thead>
            <tr>
              <td />
              {matrix.columns.map((column) => (
                <th key={column} scope="col" title={column}>
                  <span>{column}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {matrix.rows.map((row, place) => (
              <tr
                key={row}
                data-marked={marked.includes(place) || undefined}
                data-block={(matrix.block && place > 0 && place % matrix.block === 0) || undefined}
              >
                <th scope="row">
                  <span>{row}</span>
                </th>
                {matrix.columns.map((column, across) => {
                  const cell = { row: place, column: across };
                  const url = matrix.cells[place]?.[across];
                  return (
                    <td key={column}>
                      {url ? (
                        <button
                          type="button"
                          data-cell={`${place},${across}`}
                          onClick={() => onAt(cell)}
                          onKeyDown={(event) => press(event, cell)}
                        >
                          <StudioImage
                            src={url}
                            alt={row && column ? t("sample_of", { row, column }) : row || column}
                            loading="lazy"
                            decoding="async"
                          />
                        </button>
                      ) : (
                        <span className={classes.missing} />
                      )}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Viewer matrix={matrix} at={at} onMove={onAt} onClose={() => onAt()} baseOf={baseOf} />
    </>
  );
}

function focus(table: HTMLTableElement | null, { row, column }: Cell): void {
  table?.querySelector<HTMLButtonElement>(`[data-cell="${row},${column}"]`)?.focus();
}
