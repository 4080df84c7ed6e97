import i18next from "../words";

/** What a way to mend is called on a button. */
export function wayName(way: string): string {
  return i18next.t(`ways:${way}`, { defaultValue: way });
}
