/** Every key of the page, in one table: what is pressed where, and the words that say what it does. The list under `?` is made from it. */

export interface Key {
  /** As it is shown: `Ctrl+K`, `g i`, `Shift+R`. A key alone never fires while a text field has the focus. */
  press: string;
  /** Its words: a key of words/LANGUAGE/keys.json. */
  does: string;
}

export type Where = "everywhere" | "grid" | "picture" | "captions" | "samples" | "train";

export const KEYS: Record<Where, readonly Key[]> = {
  everywhere: [
    { press: "Ctrl+K", does: "palette" },
    { press: "?", does: "keys" },
    { press: "Ctrl+Z", does: "undo" },
    { press: "Ctrl+Shift+Z", does: "redo" },
    { press: "g h", does: "home" },
    { press: "g i", does: "images" },
    { press: "g c", does: "captions" },
    { press: "g t", does: "to_train" },
    { press: "g r", does: "runs" },
    { press: "g p", does: "proof" },
    { press: "g l", does: "library" },
    { press: "g y", does: "playground" },
    { press: "/", does: "filter" },
    { press: "Escape", does: "close" },
  ],
  grid: [
    { press: "Arrows", does: "move" },
    { press: "Shift+Arrows", does: "extend" },
    { press: "Space", does: "toggle" },
    { press: "Ctrl+A", does: "all" },
    { press: "Ctrl+I", does: "invert" },
    { press: "Enter", does: "open" },
    { press: "Delete", does: "remove" },
    { press: "Ctrl+Shift+L", does: "last_selection" },
  ],
  picture: [
    { press: "c", does: "crop" },
    { press: "f", does: "flip" },
    { press: "r", does: "rotate" },
    { press: "Shift+R", does: "rotate_back" },
    { press: "x", does: "split" },
    { press: "e", does: "erase" },
    { press: "Backspace", does: "take_back_region" },
    { press: "m", does: "mend" },
    { press: "o", does: "original" },
    { press: "h", does: "hold_out" },
  ],
  captions: [
    { press: "Ctrl+ArrowDown", does: "next" },
    { press: "Ctrl+ArrowUp", does: "previous" },
    { press: "a", does: "add_tag" },
    { press: "Enter", does: "take_typed" },
    { press: "Tab", does: "take_suggested" },
    { press: "Alt+1..9", does: "recent_tag" },
    { press: ".", does: "last_tag" },
    { press: "Ctrl+Enter", does: "accept_and_next" },
    { press: "u", does: "next_uncaptioned" },
    { press: "F2", does: "rename_tag" },
    { press: "Alt+Arrows", does: "move_tag" },
  ],
  samples: [
    { press: "ArrowLeft", does: "sample_left" },
    { press: "ArrowRight", does: "sample_right" },
    { press: "ArrowUp", does: "sample_up" },
    { press: "ArrowDown", does: "sample_down" },
    { press: "PageUp", does: "sample_block" },
    { press: "PageDown", does: "sample_block" },
    { press: "b", does: "base" },
    { press: "Space", does: "compare_while_held" },
    { press: "+", does: "zoom_in" },
    { press: "-", does: "zoom_out" },
    { press: "0", does: "zoom_whole" },
    { press: "k", does: "keep" },
  ],
  train: [
    { press: "Ctrl+Enter", does: "train" },
    { press: "s", does: "sample_now" },
  ],
};
