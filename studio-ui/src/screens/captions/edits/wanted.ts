import type { Shape } from "../../../api/client";

export type Value = Shape<"JsonValue">;

/** An edit with its arguments, as far as they are given. */
export interface Wanted {
  edit: string;
  arguments: Record<string, Value>;
  /** For which captions, where that was said with it. */
  scope?: Scope;
}

/** Which captions an edit is for. */
export type Scope = "selection" | "filter" | "all";

/** The captions that are meant where nothing else is said: several that are selected, or else what the filter finds. */
export function usualScope(filter: string, selected: readonly string[]): Scope {
  if (selected.length > 1) return "selection";
  return filter ? "filter" : "all";
}

/** The edit as the studio takes it: for the pictures that are selected, those that the filter finds, or all. */
export function requestOf(wanted: Wanted, scope: Scope, filter: string, selected: readonly string[]): Shape<"EditRequest"> {
  return {
    edit: wanted.edit,
    arguments: wanted.arguments,
    followed_by: [],
    where: scope === "filter" ? filter : null,
    paths: scope === "selection" ? [...selected] : [],
    count_in: "folder",
  };
}

/** One argument of an edit, read from its JSON schema. */
export interface Argument {
  name: string;
  /** In the studio's words. */
  description: string;
  kind: "tags" | "yes" | "choice" | "number" | "words";
  required: boolean;
  usual: Value | undefined;
  choices: string[];
  least?: number;
  most?: number;
  whole: boolean;
}

type Schema = Record<string, unknown>;

/** The arguments of an edit in the order of its schema. */
export function argumentsOf(schema: Schema): Argument[] {
  const required = new Set((schema.required as string[] | undefined) ?? []);
  return Object.entries((schema.properties as Record<string, Schema> | undefined) ?? {}).map(([name, property]) => {
    const type = typeOf(property);
    return {
      name,
      description: String(property.description ?? ""),
      kind: kindOf(type),
      required: required.has(name),
      usual: property.default as Value | undefined,
      choices: (type.enum as string[] | undefined) ?? [],
      least: numberIn(type, "minimum", "exclusiveMinimum"),
      most: numberIn(type, "maximum", "exclusiveMaximum"),
      whole: type.type === "integer",
    };
  });
}

/** Whether everything that must be given is given. */
export function isComplete(known: readonly Argument[], given: Record<string, Value>): boolean {
  return known.every(({ name, required, kind }) => {
    const value = given[name];
    if (!required) return true;
    if (kind === "tags") return Array.isArray(value) && value.length > 0;
    return value !== undefined && value !== null && (value !== "" || name === "replacement");
  });
}

/** The type itself where a property may also be null. */
function typeOf(property: Schema): Schema {
  const either = (property.anyOf as Schema[] | undefined)?.find((one) => one.type !== "null");
  return either ?? property;
}

function kindOf(type: Schema): Argument["kind"] {
  if (type.enum) return "choice";
  if (type.type === "array") return "tags";
  if (type.type === "boolean") return "yes";
  return type.type === "integer" || type.type === "number" ? "number" : "words";
}

function numberIn(type: Schema, ...names: string[]): number | undefined {
  return names.map((name) => type[name]).find((value): value is number => typeof value === "number");
}
