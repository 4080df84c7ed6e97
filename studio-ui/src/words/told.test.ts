import i18next from "i18next";
import { afterEach, beforeEach, expect, test } from "vitest";
import { resources } from "./resources";
import { calledSo, labelled, meant, type Said, told } from "./told";

beforeEach(() => i18next.init({ resources: resources as never, lng: "ja", fallbackLng: "en", interpolation: { escapeValue: false } }));
afterEach(() => i18next.changeLanguage("en"));

const use: Said = { code: "verdict.use_at_weight", values: { checkpoint: { epoch: 10 }, weight: 0.8 } };

test("a sentence of the package is said in Japanese from its code and values", () => {
  expect(told("Use epoch 10 at weight 0.8.", use)).toBe("エポック10を強度0.8で使ってください。");
  const several: Said = { code: "verdict.as_good", values: { checkpoints: [{ epoch: 6 }, { step: 1200 }] } };
  expect(told("Epoch 6 and step 1200 are as good.", several)).toBe("エポック6、ステップ1,200も同等です。");
});

test("a sentence within another, a label and its meaning are said in Japanese, too", () => {
  const found: Said = {
    code: "sweep.recommended",
    values: { trial: { trial: 5 }, settings: "network.rank 16", verdict: { sentence: use } },
  };
  expect(told("Trial 5 ...", found)).toBe("試行5(network.rank 16)を推奨します。エポック10を強度0.8で使ってください。");
  const but: Said = {
    code: "verdict.best_of_them",
    values: { checkpoint: { file: "a.b.safetensors" }, label: { label: "narrow" }, meaning: { meaning: "narrow" } },
  };
  expect(told("", but)).toContain("a.b.safetensorsです");
  expect(told("", but)).toContain(meant("narrow", ""));
  expect([labelled("cannot tell"), calledSo({ epoch: 7 }, "epoch 7")]).toEqual(["判定できない", "エポック7"]);
});

test("a recipe's reason says what its family's record says, and how it was fitted to the base", () => {
  const rate: Said = { code: "recipe.rate", values: { why: { family_rate: "sd1 style" } } };
  expect(told("", rate)).toBe("画風に安全な値で、4e-4は攻めた値");
  const fitted = { reason: { sentence: rate }, factor: "6.7", than_usual: "6.7", own: 192, usual: 1280 };
  const said = told("", { code: "recipe.narrower", values: fitted });
  expect(said).toBe("画風に安全な値で、4e-4は攻めた値。幅が普通の6.7分の1(1,280に対して192)なので、普通の学習率の6.7倍");
});

test("optional parts leave nothing behind, and a number that is not known is a dash", () => {
  const less = (error: number | null) => ({ sentence: { code: "sweep.less", values: { value: "1e-05", by: 0.5, error } } });
  const effect = (error: number | null): Said => ({
    code: "sweep.effect",
    values: { setting: "network.rank", best: "16", worse: [less(error)], same: [], beyond: [] },
  });
  expect(told("", effect(0.034))).toBe("network.rank: 16が最良です(1e-05はスコアが0.5 ± 0.03低い)。");
  expect(told("", effect(null))).toContain("0.5 ± –低い");
});

test("what the page does not have, and all in English, is as the package says it", async () => {
  expect(told("It is new.", { code: "verdict.quite_new", values: {} })).toBe("It is new.");
  expect(told("Of an earlier version.", null)).toBe("Of an earlier version.");
  await i18next.changeLanguage("en");
  expect(told("Use epoch 10 at weight 0.8.", use)).toBe("Use epoch 10 at weight 0.8.");
  expect([labelled("cannot tell"), calledSo({ epoch: 7 }, "epoch 7"), meant("good", "It is.")]).toEqual([
    "cannot tell",
    "epoch 7",
    "It is.",
  ]);
});
