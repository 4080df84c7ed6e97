import type { Json } from "../../components/fields/json";

type Settings = { [name: string]: Json };

/** Something to train again with: the key of its words, and the settings that it changes. */
export interface Remedy {
  key: "half_batch" | "checkpointing" | "choose_memory" | "bf16" | "half_rate";
  changes: Record<string, Json>;
}

/** What may help a training that ended with this code; none where no setting does. */
export function remediesOf(code: string, settings: Record<string, unknown>): Remedy[] {
  const training = partOf(settings, "training");
  if (code === "run.out_of_memory") return ofMemory(training);
  if (code === "run.non_finite_loss" || code === "run.non_finite_weights") return ofNumbers(training, partOf(settings, "optimizer"));
  return [];
}

function ofMemory(training: Settings): Remedy[] {
  const { batch_size: batch, gradient_checkpointing: checkpointing, memory } = training;
  return [
    ...(memory === "off" || memory === undefined ? [{ key: "choose_memory", changes: { "training.memory": "auto" } } as const] : []),
    ...(typeof batch === "number" && batch > 1
      ? [{ key: "half_batch", changes: { "training.batch_size": Math.floor(batch / 2) } } as const]
      : []),
    ...(checkpointing === true ? [] : [{ key: "checkpointing", changes: { "training.gradient_checkpointing": true } } as const]),
  ];
}

function ofNumbers(training: Settings, optimizer: Settings): Remedy[] {
  const rates = ["learning_rate", "unet_lr", "text_encoder_lr", "text_encoder_2_lr"].flatMap((name): [string, Json][] => {
    const rate = optimizer[name];
    return typeof rate === "number" ? [[`optimizer.${name}`, rate / 2]] : [];
  });
  return [
    ...(training.mixed_precision === "fp16" ? [{ key: "bf16", changes: { "training.mixed_precision": "bf16" } } as const] : []),
    ...(rates.length > 0 ? [{ key: "half_rate", changes: Object.fromEntries(rates) } as const] : []),
  ];
}

function partOf(settings: Record<string, unknown>, name: string): Settings {
  const part = settings[name];
  return typeof part === "object" && part !== null && !Array.isArray(part) ? (part as Settings) : {};
}
