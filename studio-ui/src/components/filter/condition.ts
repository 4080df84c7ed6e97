/** Conditions in the filter language, as they are written for exactly one thing. */

/** The condition that a caption has exactly this tag. */
export function conditionOf(tag: string): string {
  return `tag:${quoted(tag)}`;
}

/** A text as the filter language takes it for just that text. */
export function quoted(text: string): string {
  const exact = text.replace(/[*?]/g, "\\$&");
  const plain = !/[\s()]/.test(exact) && !/^["']/.test(exact);
  return plain ? exact : `"${exact.replaceAll('"', '\\"')}"`;
}
