import { useEffect, useRef } from "react";
import { isTyping, pressOf } from "./press";

/** What a key does. It is used up by that, unless the answer is `false`, which leaves it to the browser. */
export type Does = (event: KeyboardEvent) => unknown;

/** Whether a dialog was open when the latest key went down: the Escape that closes it does nothing else. Heard before any dialog hears it. */
let inDialog = false;
addEventListener("keydown", () => (inDialog = document.querySelector('[role="dialog"]') !== null), { capture: true });

const SECOND_KEY_WITHIN = 1000; // milliseconds, for `g i`

/** Keys that go on while they are held: those that move about. Any other does what it does once, however long it is held. */
const GOES_ON = /(^|\+)(Arrow\w+|Page\w+|Tab)$/;

/**
 * While the component is shown, keys of the table do what is given: `useKeys({ c: crop, "Ctrl+Enter": train })`.
 * Keys without Ctrl or Alt do nothing where text is typed or a dialog is open.
 */
export function useKeys(does: Record<string, Does>, { inDialogs = false } = {}): void {
  const now = useRef(does);
  now.current = does;
  useEffect(() => {
    let first = "";
    let at = 0;
    let usedUp = "";
    const pressed = (event: KeyboardEvent) => {
      if (event.defaultPrevented) return;
      const press = pressOf(event);
      if (event.repeat && !GOES_ON.test(press)) {
        if (usedUp === press) event.preventDefault(); // also where the key has led into a field
        return;
      }
      usedUp = "";
      const modified = event.ctrlKey || event.metaKey || event.altKey;
      if (!modified && isTyping(event)) return;
      if (!inDialogs && inDialog) return;
      const pair = event.timeStamp - at < SECOND_KEY_WITHIN ? `${first} ${press}` : "";
      const found = now.current[pair] ?? now.current[press];
      [first, at] = [press, event.timeStamp];
      if (!found || found(event) === false) return;
      usedUp = press;
      event.preventDefault();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [inDialogs]);
}
