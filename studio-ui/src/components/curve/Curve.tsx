import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { number } from "../format";
import classes from "./Curve.module.css";
import { type Points, thinned } from "./series";

/** A line of a curve. Its margins, where it has them, are drawn as a band around it. */
export interface Line {
  label: string;
  points: Points;
  /** 1 to 6: a colour of the tokens. */
  colour: number;
  faint?: boolean;
  dashed?: boolean;
  /** On the axis at the right. */
  right?: boolean;
  low?: Points;
  high?: Points;
}

interface Props {
  lines: Line[];
  /** What one step is on the x axis. */
  scale: number;
  xLabel: string;
  log?: boolean;
  height?: number;
  title: string;
}

const MOST = 1200; // points of a line: more than the columns it is drawn in costs time and shows nothing
const ROWS = 200; // of the table

/** Lines over the steps of a run: zoomed by dragging, whole again by a double click; the same numbers stand in a table. */
export function Curve({ lines, scale, xLabel, log = false, height = 280, title }: Props) {
  const { t } = useTranslation("runs");
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const scheme = useComputedColorScheme("light");
  const data = useMemo(() => dataOf(lines, scale), [lines, scale]);
  const shown = useRef(data);
  shown.current = data;
  const look = JSON.stringify([
    lines.map(({ label, colour, faint, dashed, right, low }) => [label, colour, faint, dashed, right, !!low]),
    xLabel,
    log,
    height,
    scheme,
  ]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `look` says whether the plot has to be made anew; data come by setData
  useEffect(() => {
    const node = place.current;
    if (!node || lines.length === 0) return;
    const made = new uPlot(optionsOf(lines, node, { xLabel, log, height }), shown.current, node);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: node.clientWidth, height }));
    resized.observe(node);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [look]);

  useEffect(() => {
    const made = plot.current;
    if (!made) return;
    const { min, max } = made.scales.x ?? {};
    const whole = made.data[0];
    const zoomed = min != null && max != null && (min > (whole[0] ?? min) || max < (whole[whole.length - 1] ?? max));
    made.setData(data, !zoomed); // whoever looks at a part goes on looking at it
  }, [data]);

  return (
    <figure className={classes.figure} aria-label={title}>
      <div ref={place} aria-hidden />
      <details className={classes.table}>
        <summary>{t("as_table")}</summary>
        <Table lines={lines} scale={scale} xLabel={xLabel} />
      </details>
    </figure>
  );
}

function Table({ lines, scale, xLabel }: Pick<Props, "lines" | "scale" | "xLabel">) {
  const few = lines.filter((line) => !line.faint).map((line) => ({ ...line, points: thinned(line.points, ROWS) }));
  const [x, ...columns] = dataOf(
    few.map(({ low, high, ...line }) => line),
    scale,
  );
  return (
    <div className={classes.rows}>
      <table>
        <thead>
          <tr>
            <th scope="col">{xLabel}</th>
            {few.map((line) => (
              <th key={line.label} scope="col">
                {line.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {[...x].map((at, row) => (
            <tr key={at}>
              <th scope="row">{number(at)}</th>
              {columns.map((column, index) => (
                <td key={few[index]?.label}>{column[row] == null ? "" : number(column[row])}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** All lines over one x, as uPlot wants them; the margins of a line come after it. */
function dataOf(lines: Line[], scale: number): uPlot.AlignedData {
  const tables = lines.flatMap((line) =>
    [line.points, ...(line.high && line.low ? [line.high, line.low] : [])].map((points): uPlot.AlignedData => {
      const few = thinned(points, MOST);
      return [few.steps.map((step) => step * scale), few.values];
    }),
  );
  return tables.length
    ? uPlot.join(
        tables,
        tables.map((table) => table.map(() => 0)),
      )
    : [[]];
}

function optionsOf(lines: Line[], node: HTMLElement, look: { xLabel: string; log: boolean; height: number }): uPlot.Options {
  const token = (name: string) => getComputedStyle(node).getPropertyValue(name).trim();
  const series: uPlot.Series[] = [{ label: look.xLabel, value: (_, value) => (value == null ? "" : number(value)) }];
  const bands: uPlot.Band[] = [];
  for (const line of lines) {
    const colour = token(`--series-${line.colour}`);
    const base: uPlot.Series = {
      scale: line.right ? "right" : "y",
      spanGaps: true,
      points: { show: line.points.steps.length < 40 && !line.faint, size: 5 },
      value: (_, value) => (value == null ? "" : number(value)),
    };
    series.push({
      ...base,
      label: line.label,
      stroke: line.faint ? `${colour}55` : colour,
      width: line.faint ? 1 : 2,
      dash: line.dashed ? [6, 4] : undefined,
    });
    if (line.low && line.high) {
      bands.push({ series: [series.length, series.length + 1], fill: `${colour}22` });
      for (const side of ["+", "−"])
        series.push({
          ...base,
          label: `${line.label} ${side}`,
          stroke: "transparent",
          width: 0,
          points: { show: false },
          class: classes.margin,
        });
    }
  }
  const axis: uPlot.Axis = {
    stroke: token("--soft"),
    grid: { stroke: token("--line"), width: 1 },
    ticks: { stroke: token("--line"), width: 1 },
    font: "12px system-ui",
  };
  const right = lines.some((line) => line.right);
  return {
    width: node.clientWidth || 600,
    height: look.height,
    series,
    bands,
    scales: { x: { time: false }, y: { distr: look.log ? 3 : 1 } },
    axes: [
      { ...axis, label: look.xLabel, labelSize: 20, labelFont: "12px system-ui" },
      { ...axis, scale: "y", size: 64, values: (_, splits) => splits.map((value) => (value == null ? "" : number(value))) },
      ...(right
        ? [
            {
              ...axis,
              scale: "right",
              side: 1 as const,
              size: 64,
              grid: { show: false },
              values: (_: uPlot, splits: number[]) => splits.map((value) => number(value)),
            },
          ]
        : []),
    ],
    cursor: { drag: { x: true, y: false } },
    legend: { live: true },
  };
}
