import type { Json } from "../../components/fields/json";
import type { Job } from "../../components/jobs/useJob";

/** A picture as it was asked for in the playground. What is empty is as usual for the base. */
export interface Picture {
  base: string;
  prompt: string;
  negative: string;
  seed: number;
  sampler: string;
  steps: number | null;
  cfg: number | null;
  width: number | null;
  height: number | null;
}

export interface LoraAtStrength {
  file: string;
  strength: number;
}

export const FOLDER = "playground";

/** What a sample job is asked for, without where its picture goes. */
export function drawing(picture: Picture, loras: readonly LoraAtStrength[]): Record<string, Json> {
  const { base, prompt, negative, seed } = picture;
  return {
    base,
    prompts: [prompt.replace(/\s*\n\s*/g, " ").trim()],
    loras: loras.map(({ file, strength }) => ({ file, strength })),
    seed,
    negative_prompt: negative,
    ...usualsOf(picture),
  };
}

/** The choices that differ from what is usual for the base, as jobs call them. */
export function usualsOf({ sampler, steps, cfg, width, height }: Picture): Record<string, Json> {
  const given: Record<string, Json> = { sampler: sampler || null, steps, cfg_scale: cfg, width, height };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}

/** What a sample job was asked for, as it was typed. */
export function askedFor(given: Record<string, unknown>): { picture: Picture; loras: LoraAtStrength[] } {
  const number = (name: string) => (typeof given[name] === "number" ? given[name] : null);
  const text = (name: string) => (typeof given[name] === "string" ? given[name] : "");
  const picture = {
    base: text("base"),
    prompt: (given.prompts as string[] | undefined)?.[0] ?? "",
    negative: text("negative_prompt"),
    seed: number("seed") ?? 1,
    sampler: text("sampler"),
    steps: number("steps"),
    cfg: number("cfg_scale"),
    width: number("width"),
    height: number("height"),
  };
  return { picture, loras: (given.loras as LoraAtStrength[] | undefined) ?? [] };
}

/**
 * Where a drawing's picture goes: the same drawing to the same folder, so that it is known which have been made. `version` is that of the files that
 * it is drawn with: with another LoRA under the same name it is another picture.
 */
export function folderOf(asked: Record<string, Json>, version: string): string {
  return `${FOLDER}/${hashOf(JSON.stringify(asked))}-${version}`;
}

/** The same picture without LoRAs, as it was when the job generated the one with them; undefined where it was not generated. */
export function baseOf(job: Job, jobs: readonly Job[]): Job | undefined {
  const wanted = JSON.stringify(drawing(askedFor(job.arguments).picture, []));
  return jobs
    .filter((other) => other.kind === "sample" && other.state === "done" && other.id < job.id && askedAs(other) === wanted)
    .sort((one, other) => other.id - one.id)[0];
}

function askedAs(job: Job): string {
  const { picture, loras } = askedFor(job.arguments);
  return JSON.stringify(drawing(picture, loras));
}

/** FNV-1a over two halves: short, and different for any two drawings that a person makes. */
function hashOf(text: string): string {
  return [0x811c9dc5, 0x01000193]
    .map((start) => {
      let hash = start;
      for (const letter of text) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0;
      return hash.toString(36);
    })
    .join("");
}
