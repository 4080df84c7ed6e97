/** The field into which something was typed since the focus came to it: what Ctrl+Z takes back there is that, as in every program. */
let typedInto: EventTarget | null = null;
addEventListener("focusin", () => (typedInto = null), { capture: true });
addEventListener("input", ({ target }) => (typedInto = target), { capture: true });

/** Whether the event's place has such text. What was taken out of a field, as a tag is by Enter, is none of it any more. */
export function hasTyped({ target }: KeyboardEvent): boolean {
  const isText = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
  return isText && target === typedInto && target.value !== "";
}
