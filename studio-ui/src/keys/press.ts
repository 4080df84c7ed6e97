/** Reading keyboard events against the table's spelling. */

/** How an event is written in the table: modifiers in the order Ctrl, Alt, Shift, then the key. Command counts as Ctrl. */
export function pressOf(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">): string {
  const key = event.key === " " ? "Space" : event.key;
  const letter = key.length === 1 && key.toLowerCase() !== key.toUpperCase();
  const modified = event.ctrlKey || event.metaKey;
  const shifted = event.shiftKey && (key.length > 1 || letter); // `?` is `?`, whatever it takes to type it
  const name = letter && (modified || event.shiftKey) ? key.toUpperCase() : key;
  return [modified && "Ctrl", event.altKey && "Alt", shifted && "Shift", name].filter(Boolean).join("+");
}

/** Whether the event's place takes text, where letters are letters. */
export function isTyping(event: KeyboardEvent): boolean {
  const place = event.target;
  return (
    event.isComposing ||
    (place instanceof HTMLElement &&
      (place.isContentEditable ||
        place instanceof HTMLTextAreaElement ||
        place instanceof HTMLSelectElement ||
        (place instanceof HTMLInputElement && !["checkbox", "radio", "range", "button"].includes(place.type))))
  );
}
