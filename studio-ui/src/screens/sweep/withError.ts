import type { Shape } from "../../api/client";
import { number } from "../../components/format";

/** A number with two digits and its error, where it has one: `0.80 ± 0.02`. */
export function withError(measured: Shape<"Number"> | null | undefined): string {
  if (!measured) return "–";
  return measured.error === null ? number(measured.value, 2) : `${number(measured.value, 2)} ± ${number(measured.error, 2)}`;
}
