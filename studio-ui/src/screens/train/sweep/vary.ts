import type { Shape } from "../../../api/client";
import type { Json, Tree } from "../tree";

/** A sweep as it is put together, in what was typed, and as its file says it. */

export type Search = "grid" | "random" | "tpe";

/** A setting that varies, or several together. What is typed stays text, and the studio says why it cannot be used. */
export interface Row {
  names: string[];
  form: "values" | "range";
  values: string;
  from: string;
  to: string;
  count: string;
  step: string;
  log: boolean;
}

export interface SweepDraft {
  /** Empty: named after the settings. */
  name: string;
  rows: Row[];
  search: Search;
  trials: string;
  seed: string;
  hours: string;
  share: string;
  effort: Shape<"SweepFacts">["effort"];
  stopEarly: boolean;
  minEpochs: string;
  reductionFactor: string;
  ray: string;
}

export const NEW_SWEEP: SweepDraft = {
  name: "",
  rows: [],
  search: "grid",
  trials: "",
  seed: "",
  hours: "",
  share: "",
  effort: "quick",
  stopEarly: true,
  minEpochs: "",
  reductionFactor: "",
  ray: "",
};

/** Between the names of settings that vary together, as in a sweep's file. */
const TOGETHER = ", ";

export function nameOfRow(row: Row): string {
  return row.names.join(TOGETHER);
}

export function newRow(name: string, value: Json | undefined): Row {
  const first = value === undefined || value === null ? "" : writtenValue(value);
  return { names: [name], form: "values", values: first, from: "", to: "", count: "", step: "", log: false };
}

/** What the file of the sweep says; `name` is the one that is free, and `settings` what trials begin with. */
export function sweepOf(draft: SweepDraft, name: string, settings: Tree): Tree {
  const said: [string, Json | undefined][] = [
    ["name", name],
    ["settings", settings],
    ["vary", Object.fromEntries(draft.rows.map((row) => [nameOfRow(row), variedBy(row)]))],
    ["search", draft.search],
    ["trials", draft.search === "grid" ? undefined : typed(draft.trials)],
    ["seed", draft.search === "grid" ? undefined : typed(draft.seed)],
    ["hours", typed(draft.hours)],
    ["share", typed(draft.share)],
    ["effort", draft.effort],
    ["stop_early", draft.stopEarly],
    ["min_epochs", typed(draft.minEpochs)],
    ["reduction_factor", typed(draft.reductionFactor)],
  ];
  return Object.fromEntries(said.filter((entry): entry is [string, Json] => entry[1] !== undefined));
}

function variedBy(row: Row): Json {
  if (row.form === "values") return isDoubtful(row.values) ? row.values.trim() : valuesIn(row.values);
  const said: [string, Json | undefined][] = [
    ["from", typed(row.from)],
    ["to", typed(row.to)],
    ["count", typed(row.count)],
    ["step", typed(row.step)],
    ["scale", row.log ? "log" : undefined],
  ];
  return Object.fromEntries(said.filter((entry): entry is [string, Json] => entry[1] !== undefined));
}

/** A value: what stands in quotation marks or in brackets as a whole, else what is between two commas. */
const VALUE = /\s*("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^,]+)\s*(?:,|$)/g;

/** Values with commas between them: numbers, `true`, words, and `[8, 4], [16, 8]` of settings that vary together. */
export function valuesIn(text: string): Json[] {
  const parts = [...text.matchAll(VALUE)].map(([, part = ""]) => part.trim());
  return parts.filter(Boolean).map(valueIn);
}

/**
 * Whether a comma may be that of a decimal number, as in `0,0001` or `1,5e-4`: the studio then asks for a point. `8,16` are two values, but beside
 * others with spaces, as in `1,5, 2,5`, nobody knows.
 */
export function isDoubtful(text: string): boolean {
  const plain = text.replace(/"(?:[^"\\]|\\.)*"|\[[^\]]*\]/g, " ");
  const pieces = plain.split(/[,;]?\s+|;/).filter(Boolean);
  return pieces.some((piece) => {
    if (!/^[-+]?\d+(,\d+)+(e[-+]?\d+)?$/i.test(piece)) return false;
    const [first = "", ...others] = piece.replace(/^[-+]/, "").split(",");
    const small = first === "0" || others.some((other) => /^0\d/.test(other));
    return pieces.length > 1 || small || /e/i.test(piece);
  });
}

function valueIn(text: string): Json {
  if (text === "true" || text === "false") return text === "true";
  if (/^["[]/.test(text)) return parsed(text);
  const found = Number(text);
  return Number.isFinite(found) ? found : text;
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A number where it looks like one; what is left empty is not said. */
function typed(text: string): Json | undefined {
  return text.trim() === "" ? undefined : valueIn(text.trim());
}

/** A sweep's file as a draft; its settings stay behind. */
export function draftOf(sweep: Tree, before: SweepDraft): SweepDraft {
  const text = (name: string) => (sweep[name] === undefined || sweep[name] === null ? "" : String(sweep[name]));
  return {
    ...before,
    rows: Object.entries((sweep.vary ?? {}) as Tree).map(([names, value]) => rowOf(names.split(TOGETHER), value)),
    search: (text("search") || "grid") as Search,
    trials: text("trials"),
    hours: text("hours"),
    share: text("share"),
    effort: (text("effort") || "quick") as SweepDraft["effort"],
    stopEarly: sweep.stop_early !== false,
  };
}

function rowOf(names: string[], value: Json): Row {
  const empty: Row = { ...newRow("", undefined), names };
  if (Array.isArray(value)) return { ...empty, values: value.map(writtenValue).join(", ") };
  const range = (value ?? {}) as Tree;
  const text = (name: string) => (range[name] === undefined ? "" : String(range[name]));
  return {
    ...empty,
    form: "range",
    from: text("from"),
    to: text("to"),
    count: text("count"),
    step: text("step"),
    log: range.scale === "log",
  };
}

/** As `valuesIn` reads it again: plain words without quotation marks, unless they have commas. */
function writtenValue(value: Json): string {
  if (typeof value === "string" && valuesIn(value).length === 1 && valuesIn(value)[0] === value) return value;
  return JSON.stringify(value);
}
