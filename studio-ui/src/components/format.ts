import i18next from "i18next";

/** Numbers, sizes, times and dates as the page's language writes them. */

/** 12,345 or 0.0123: three significant digits below one. */
export function number(value: number, digits?: number): string {
  const options =
    digits === undefined
      ? Math.abs(value) < 1
        ? { maximumSignificantDigits: 3 }
        : { maximumFractionDigits: 2 }
      : { maximumFractionDigits: digits, minimumFractionDigits: digits };
  return new Intl.NumberFormat(i18next.language, options).format(value);
}

/** 0.42 as 42 %. */
export function percent(share: number, digits = 0): string {
  return new Intl.NumberFormat(i18next.language, { style: "percent", maximumFractionDigits: digits }).format(share);
}

/** Bytes as MB or GB of 1000s, as disks count. */
export function bytes(size: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const power = Math.min(Math.floor(Math.log10(Math.max(size, 1)) / 3), units.length - 1);
  const value = size / 1000 ** power;
  return new Intl.NumberFormat(i18next.language, {
    style: "unit",
    unit: units[power],
    maximumFractionDigits: value < 10 && power > 0 ? 1 : 0,
  }).format(value);
}

/** Seconds as `2 h 5 min`, `2 min 30 s` or `12 s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  const parts: [number, string][] = hours
    ? [
        [hours, "hour"],
        [minutes, "minute"],
      ]
    : minutes
      ? [
          [minutes, "minute"],
          [whole % 60, "second"],
        ]
      : [[whole, "second"]];
  return parts
    .filter(([value], index) => value > 0 || index === 0)
    .map(([value, unit]) => new Intl.NumberFormat(i18next.language, { style: "unit", unit, unitDisplay: "short" }).format(value))
    .join(" ");
}

/** A time that was estimated, without digits that nobody can know: whole minutes from five on, whole hours from five on. */
export function roughly(seconds: number): string {
  const step = seconds >= 5 * 3600 ? 3600 : seconds >= 5 * 60 ? 60 : 1;
  return duration(Math.round(seconds / step) * step);
}

/** How long ago, in words: `3 minutes ago`, `yesterday`. */
export function ago(moment: string | Date, now = Date.now()): string {
  const seconds = (new Date(moment).getTime() - now) / 1000;
  const format = new Intl.RelativeTimeFormat(i18next.language, { numeric: "auto" });
  const units: [Intl.RelativeTimeFormatUnit, number][] = [
    ["day", 86400],
    ["hour", 3600],
    ["minute", 60],
  ];
  for (const [unit, length] of units) if (Math.abs(seconds) >= length) return format.format(Math.round(seconds / length), unit);
  return format.format(0, "second");
}

/** A moment as a date and a time. */
export function moment(when: string | Date): string {
  return new Intl.DateTimeFormat(i18next.language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(when));
}

/** How much of something is done: `3/15`, or sizes where bytes are counted. */
export function amount(done: number, of: number, unit: string): string {
  return unit === "byte" ? `${bytes(done)}/${bytes(of)}` : `${number(done)}/${number(of)}`;
}

/** Several things in a sentence: `a, b and c`. */
export function list(things: readonly string[]): string {
  return new Intl.ListFormat(i18next.language).format(things);
}
