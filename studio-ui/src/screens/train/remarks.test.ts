import { expect, test } from "vitest";
import { Problem } from "../../api/problem";
import { notesOf } from "./remarks";

test("what does nothing is known from the check, from findings and from what is refused", () => {
  const finding = { code: "settings.little_effect", subjects: ["training.deterministic"], message: "It is for GPUs." };
  const told = { code: "network.no_effect", place: "network.factor", detail: "It is for lokr." };
  const planned = {
    plan: { findings: [finding, { ...finding, code: "lint.rate", subjects: ["optimizer.unet_lr"] }] },
    problem: new Problem(told as never),
  };
  expect(Object.fromEntries(notesOf(planned as never, { "flow.logit_mean": "It is for flow models." }))).toEqual({
    "flow.logit_mean": "It is for flow models.",
    "training.deterministic": "It is for GPUs.",
    "network.factor": "It is for lokr.",
  });
});
