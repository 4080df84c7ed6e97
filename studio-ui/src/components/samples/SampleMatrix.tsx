import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { type Cell, type Matrix, moved } from "./matrix";
import classes from "./SampleMatrix.module.css";

interface Props {
  matrix: Matrix;
  label: string;
  /** Pixels of a picture's side. */
  side: number;
  /** Rows that are marked, such as the recommended epoch. */
  marked?: readonly number[];
  onOpen: (cell: Cell) => void;
}

/** All pictures at once, rows by columns. Arrows move, Enter opens. */
export function SampleMatrix({ matrix, label, side, marked = [], onOpen }: Props) {
  const { t } = useTranslation("runs");
  const table = useRef<HTMLTableElement>(null);

  function press(event: React.KeyboardEvent, cell: Cell): void {
    const next = moved(cell, event.key, matrix);
    if (next.row === cell.row && next.column === cell.column) return;
    event.preventDefault();
    table.current?.querySelector<HTMLButtonElement>(`[data-cell="${next.row},${next.column}"]`)?.focus();
  }

  return (
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
          {matrix.rows.map((row, at) => (
            <tr key={row} data-marked={marked.includes(at) || undefined}>
              <th scope="row">{row}</th>
              {matrix.columns.map((column, place) => {
                const url = matrix.cells[at]?.[place];
                return (
                  <td key={column}>
                    {url ? (
                      <button
                        type="button"
                        data-cell={`${at},${place}`}
                        onClick={() => onOpen({ row: at, column: place })}
                        onKeyDown={(event) => press(event, { row: at, column: place })}
                      >
                        <img src={url} alt={t("sample_of", { row, column })} loading="lazy" decoding="async" />
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
  );
}
