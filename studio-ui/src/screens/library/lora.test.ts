import i18next from "i18next";
import { beforeAll, expect, test } from "vitest";
import { resources } from "../../words/resources";
import { fact, loraLook, titleOf } from "./lora";
import type { Lora } from "./useLoras";

beforeAll(() => i18next.init({ lng: "en", resources: resources as never, interpolation: { escapeValue: false } }));

const lora: Lora = {
  id: "1",
  name: "mimi",
  file: "/loras/mimi.safetensors",
  bytes: 10,
  day: "2026-11-27",
  preview: null,
  problem: "",
  facts: { title: "", family: "sdxl", kinds: ["lora"], ranks: [8, 16], base: null },
};

test("a LoRA is called by its title, or by its file", () => {
  expect(titleOf(lora)).toBe("mimi");
  expect(titleOf({ ...lora, facts: { title: "Mimi" } })).toBe("Mimi");
  expect(fact(lora, "ranks")).toBe("8, 16");
  expect(fact(lora, "base")).toBe("");
});

test("a tile says what it is for, or why it cannot be read", () => {
  expect(loraLook(lora).strip).toBe("sdxl · lora · rank 8, 16");
  expect(loraLook({ ...lora, problem: "It is cut short." })).toMatchObject({ strip: "✕ It is cut short.", tone: "error" });
});
