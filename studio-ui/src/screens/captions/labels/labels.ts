import type { Shape } from "../../../api/client";
import type { Scope } from "../edits/wanted";

/** What is wished for from a tagger. Of its choice only what was changed is kept: the rest is the tagger's own. */
export interface Wishes {
  tagger: string;
  mode: "ignore" | "append" | "overwrite";
  choice: Partial<Shape<"TagChoice">>;
}

/** The job that writes the captions. */
export function requestOf(wishes: Wishes, scope: Scope, filter: string, selected: readonly string[]): Shape<"LabelRequest"> {
  return { tagger: wishes.tagger, ...labelsOf(wishes, scope, filter, selected) } as Shape<"LabelRequest">;
}

/** The same, tried on a few. */
export function previewOf(wishes: Wishes, scope: Scope, filter: string, selected: readonly string[]): Shape<"LabelPreviewRequest"> {
  return labelsOf(wishes, scope, filter, selected) as Shape<"LabelPreviewRequest">;
}

function labelsOf({ choice, mode }: Wishes, scope: Scope, filter: string, selected: readonly string[]) {
  return {
    choice,
    mode,
    where: scope === "filter" ? filter : null,
    pictures: scope === "selection" ? [...selected] : [],
  };
}
