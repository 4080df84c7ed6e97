import type { Json } from "./json";

/** A JSON schema as the fields of a form: that of the settings, or of a job's arguments. */

export type FieldKind = "switch" | "number" | "choice" | "text" | "lines" | "data";

export interface Field {
  /** Its dotted name, `datasets.0.repeats` for that of a folder. */
  name: string;
  label: string;
  description: string;
  kind: FieldKind;
  /** Whether it may be left empty. */
  optional: boolean;
  choices: string[];
  /** Values that people type; others are taken, too. */
  suggestions: string[];
  /** Whether it names a base: a path, or an id of the hub. */
  ofBase: boolean;
  /** What holds where nothing is given. */
  fallback: Json | undefined;
  /** What sd-scripts, and with it kohya_ss, calls it, where that is another name. */
  sdScripts: string[];
}

export interface Section {
  /** `network`, or `datasets.0` for the first folder; "" for what belongs to none. */
  name: string;
  description: string;
  fields: Field[];
}

interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  type?: string;
  description?: string;
  enum?: string[];
  examples?: Json[];
  default?: Json;
  sd_scripts?: string[];
  names?: string;
  anyOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  prefixItems?: Schema[];
}

/** Not for people: it says how the file is read. */
const HIDDEN: ReadonlySet<string> = new Set(["version"]);

/** All sections with their fields, in the schema's order; each of `folders` datasets has one. */
export function sectionsOf(schema: unknown, folders: number): Section[] {
  const root = schema as Schema;
  const alone: Field[] = [];
  const sections: Section[] = [];
  for (const [name, property] of Object.entries(root.properties ?? {})) {
    if (HIDDEN.has(name)) continue;
    const section = referred(property, root);
    const ofFolder = property.items && referred(property.items, root);
    if (ofFolder?.properties) {
      for (let at = 0; at < folders; at++) sections.push(sectionOf(`${name}.${at}`, ofFolder));
    } else if (section.properties) sections.push(sectionOf(name, section));
    else alone.push(fieldOf(name, property));
  }
  return [{ name: "", description: "", fields: alone }, ...sections];
}

/** The fields of an object by their plain names, such as a job's arguments. */
export function fieldsOf(schema: unknown): Field[] {
  return Object.entries((schema as Schema).properties ?? {}).map(([name, property]) => fieldOf(name, property));
}

function sectionOf(name: string, schema: Schema): Section {
  const fields = Object.entries(schema.properties ?? {}).map(([each, property]) => fieldOf(`${name}.${each}`, property));
  return { name, description: schema.description ?? "", fields };
}

function fieldOf(name: string, schema: Schema): Field {
  const forms = (schema.anyOf ?? [schema]).flatMap((form) => form.anyOf ?? [form]);
  const given = forms.filter((form) => form.type !== "null");
  return {
    name,
    label: labelOf(name),
    description: schema.description ?? "",
    kind: kindOf(given),
    optional: given.length < forms.length,
    choices: given.flatMap((form) => form.enum ?? []),
    suggestions: (schema.examples ?? []).filter((each) => typeof each === "string"),
    ofBase: [schema, ...given].some(({ names }) => names === "base"),
    fallback: schema.default,
    sdScripts: schema.sd_scripts ?? [],
  };
}

function kindOf(forms: Schema[]): FieldKind {
  const types = new Set(forms.map((form) => form.type));
  if (forms.some((form) => form.enum)) return "choice";
  if (types.has("object")) return "data";
  if (types.has("array")) {
    const list = forms.find((form) => form.type === "array");
    if (types.size === 1) return list?.items?.type === "string" ? "lines" : "data";
    return "text"; // a number, or several with commas between them
  }
  if (types.has("string")) return "text";
  return types.has("boolean") ? "switch" : "number";
}

function referred(schema: Schema, root: Schema): Schema {
  const name = schema.$ref?.replace("#/$defs/", "");
  return (name !== undefined && root.$defs?.[name]) || schema;
}

/** What single words of a name mean, where they are not words. */
const SPELT: Record<string, string> = {
  lr: "learning rate",
  vae: "VAE",
  ema: "EMA",
  snr: "SNR",
  unet: "U-Net",
  reso: "size",
  num: "number of",
  reg: "regularisation",
  dora: "DoRA",
  lora: "LoRA",
  rs: "rank-stabilised",
  t5: "T5",
  std: "spread",
  ip: "input perturbation",
  aug: "augmentation",
  loraplus: "LoRA+",
  cfg: "CFG",
  wandb: "W&B",
  tensorboard: "TensorBoard",
  cuda: "CUDA",
  pred: "prediction",
  dtype: "dtype",
  out: "output",
};

/** A name in words: `optimizer.unet_lr` as `U-Net learning rate`. */
export function labelOf(name: string): string {
  const words = (name.split(".").at(-1) ?? "").split("_").map((word) => SPELT[word] ?? word);
  const text = words.join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
