import type { Section } from "./schema";

/** The sections with those fields alone of which a name, ours or sd-scripts', label or description has every word; a section's name finds all of it. */
export function found(sections: Section[], search: string): Section[] {
  const words = search.toLowerCase().split(/[\s]+/).filter(Boolean);
  if (words.length === 0) return sections;
  return sections
    .map((section) => ({ ...section, fields: section.fields.filter((field) => words.every((word) => textOf(field).includes(word))) }))
    .filter((section) => section.fields.length > 0);
}

function textOf(field: Section["fields"][number]): string {
  return `${field.name} ${field.name.replaceAll("_", " ")} ${field.label} ${field.description} ${field.choices.join(" ")} ${field.sdScripts.join(" ")}`.toLowerCase();
}
