import type { ReactNode } from "react";
import classes from "./SuggestionList.module.css";

export interface Suggested {
  key: string;
  words: ReactNode;
  /** Beside the words: a number, or what it is. */
  hint?: ReactNode;
}

interface Props {
  id: string;
  label: string;
  shown: boolean;
  suggestions: readonly Suggested[];
  /** The one that the field names as active; -1 for none. */
  marked: number;
  onTake: (index: number) => void;
}

/** What a field suggests, below it. The field keeps the focus and the keys; Tab takes the first one. */
export function SuggestionList({ id, label, shown, suggestions, marked, onTake }: Props) {
  return (
    <div id={id} role="listbox" aria-label={label} className={classes.list} hidden={!shown}>
      {suggestions.map((one, at) => (
        // biome-ignore lint/a11y/useFocusableInteractive: the field has the focus, and names the option by aria-activedescendant
        // biome-ignore lint/a11y/useKeyWithClickEvents: keys are the field's
        <div
          key={one.key}
          id={`${id}${at}`}
          role="option"
          aria-selected={at === marked}
          className={classes.option}
          onMouseDown={(event) => event.preventDefault()} // the field keeps the focus
          onClick={() => onTake(at)}
        >
          <span className={classes.words}>{one.words}</span>
          <span className="soft small">{one.hint}</span>
        </div>
      ))}
    </div>
  );
}
