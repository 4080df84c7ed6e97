import type { Shape } from "../../api/client";
import type { Estimate } from "./usePlan";

/** What an estimate says, in numbers. Sizes are in bytes, times in seconds. */
export interface Forecast {
  time?: number;
  file?: number;
  files?: number;
  disk?: number;
  memory?: number;
  /** Where most memory is needed: what takes how much, the largest first. */
  parts: [string, number][];
}

export function forecastOf(estimate: Estimate | undefined): Forecast {
  const { files, memory, time } = estimate ?? {};
  const phase = partOf(partOf(memory, "phases"), String(memory?.peak_phase ?? ""));
  return {
    time: numberOf(time, "total"),
    file: numberOf(files, "lora"),
    files: numberOf(files, "loras"),
    disk: numberOf(files, "total"),
    memory: numberOf(memory, "peak"),
    parts: Object.entries(phase)
      .filter((entry): entry is [string, number] => typeof entry[1] === "number")
      .sort(([, one], [, other]) => other - one),
  };
}

type Values = Record<string, unknown> | null | undefined;

function numberOf(values: Values, name: string): number | undefined {
  const value = values?.[name];
  return typeof value === "number" ? value : undefined;
}

function partOf(values: Values, name: string): Record<string, unknown> {
  const value = values?.[name];
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** The memory that a training has: that of the first graphics card, or the machine's where there is none or the settings ask for the CPU. */
export function roomOf(system: Shape<"System"> | undefined, device: unknown): number | undefined {
  const card = device === "cpu" ? undefined : system?.accelerators[0];
  return card?.memory ?? system?.memory;
}
