import classes from "./Letters.module.css";

/** What is shown where a thing has no picture: the first letters of its name. One node, for tiles are many; its name is read elsewhere. */
export function Letters({ of }: { of: string }) {
  return <i aria-hidden className={classes.letters} data-letters={lettersOf(of)} />;
}

export function lettersOf(name: string): string {
  return [...name.trim()].slice(0, 2).join("");
}
