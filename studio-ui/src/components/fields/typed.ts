import type { Json } from "./json";
import type { Field } from "./schema";

/** A value as it stands in a field. */
export function written(value: Json | undefined, field: Field): string {
  if (value === undefined || value === null) return "";
  if (field.kind === "lines" && Array.isArray(value)) return value.join("\n");
  if (field.kind === "data") return isEmpty(value) ? "" : JSON.stringify(value, null, 1).replace(/\n\s*/g, " ");
  return Array.isArray(value) ? value.join(", ") : String(value);
}

/** What was typed as a value; what is none stays text, and the studio says why it cannot be used. Empty is null: as if it were not given. */
export function read(text: string, field: Field): Json {
  const typed = text.trim();
  if (field.kind === "lines") return text === "" ? [] : text.split("\n");
  if (typed === "") return field.kind === "text" && field.fallback === "" ? "" : null;
  if (field.kind === "data") return parsed(typed);
  if (field.kind === "number" || takesNumbers(field)) return numbers(typed);
  return text;
}

/** Texts that are a number, or several, where they look like it: `512`, `768, 512`. */
function takesNumbers(field: Field): boolean {
  return typeof field.fallback === "number" || field.name.endsWith(".resolution");
}

function numbers(text: string): Json {
  const parts = text.split(/[,\s]+/).filter(Boolean);
  const values = parts.map(Number);
  if (values.some((value) => !Number.isFinite(value))) return text;
  return values.length === 1 ? (values[0] as number) : values;
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isEmpty(value: Json): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
