import { expect, test } from "vitest";
import { remediesOf } from "./remedies";

const training = { batch_size: 5, gradient_checkpointing: false, memory: "off", mixed_precision: "fp16" };
const settings = { training, optimizer: { learning_rate: 1e-4, unet_lr: 2e-4, type: "AdamW" } };

test("a run that was out of memory may be made smaller in several ways", () => {
  expect(remediesOf("run.out_of_memory", settings).map(({ changes }) => changes)).toEqual([
    { "training.memory": "auto" },
    { "training.batch_size": 2 },
    { "training.gradient_checkpointing": true },
  ]);
  expect(remediesOf("run.out_of_memory", { training: { batch_size: 1, gradient_checkpointing: true, memory: "auto" } })).toEqual([]);
});

test("numbers that were not finite ask for a wider type and lower rates", () => {
  expect(remediesOf("run.non_finite_loss", settings).map(({ changes }) => changes)).toEqual([
    { "training.mixed_precision": "bf16" },
    { "optimizer.learning_rate": 5e-5, "optimizer.unet_lr": 1e-4 },
  ]);
});

test("no setting helps against a full disk, or against a person who stopped it", () => {
  expect([...remediesOf("run.disk_full", settings), ...remediesOf("stopped", settings), ...remediesOf("", {})]).toEqual([]);
});
