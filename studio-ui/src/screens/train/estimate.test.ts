import { expect, test } from "vitest";
import { forecastOf, roomOf } from "./estimate";

test("an estimate's numbers are found, and the parts of the hungriest phase, the largest first", () => {
  const forecast = forecastOf({
    state: "known",
    problem: "",
    files: { lora: 3_000_000, loras: 10, total: 50_000_000 },
    memory: { peak: 900, peak_phase: "training", phases: { training: { network: 100, base: 800 }, sampling: { base: 700 } } },
    time: { total: 262.5 },
  });
  expect(forecast).toEqual({
    time: 262.5,
    file: 3_000_000,
    files: 10,
    disk: 50_000_000,
    memory: 900,
    parts: [
      ["base", 800],
      ["network", 100],
    ],
  });
  expect(forecastOf({ state: "estimating", problem: "" }).memory).toBeUndefined();
});

test("memory is compared with the card's, and with the machine's where the CPU trains", () => {
  const system = { memory: 32, accelerators: [{ memory: 24 }] } as never;
  expect(roomOf(system, "auto")).toBe(24);
  expect(roomOf(system, "cpu")).toBe(32);
  expect(roomOf({ memory: 32, accelerators: [] } as never, "auto")).toBe(32);
});
