import classes from "./BaseField.module.css";
import type { KnownBase } from "./useBases";

/** A base in a list: its name, what it is, and where, by which two of one name are told apart. */
export function BaseOption({ base }: { base: KnownBase }) {
  return (
    <span className={classes.option}>
      <span>
        <strong>{base.name}</strong> <span className="soft">{base.title}</span>
      </span>
      {base.source !== base.name && <span className={classes.place}>{base.source}</span>}
    </span>
  );
}
