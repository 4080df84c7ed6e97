import type { Shape } from "../../api/client";
import type { Matrix } from "../../components/samples/matrix";
import { calledSo } from "../../words/told";

type Proof = Shape<"ProofView">;

/** The groups of prompts, in the order in which they are shown. */
export const GROUPS = ["new", "held_out", "trained", "bare", "other"] as const;

/** A matrix of pictures with the places of its rows that are recommended, and whether its first row is the base. */
export interface Shown {
  matrix: Matrix;
  marked: number[];
}

/** The base and every checkpoint that was drawn, over the prompts of one group. */
export function byCheckpoint(proof: Proof, group: string, baseWord: string): Shown {
  const prompts = proof.prompts.filter((prompt) => prompt.group === group);
  const drawn = proof.checkpoints.filter((one) => Object.keys(one.pictures).length > 0);
  return {
    matrix: {
      rows: [baseWord, ...drawn.map((one) => calledSo(one.called, one.name))],
      columns: prompts.map((prompt) => prompt.name),
      cells: [prompts.map((prompt) => prompt.base), ...drawn.map((one) => prompts.map((prompt) => one.pictures[prompt.name] ?? null))],
    },
    marked: drawn.flatMap((one, place) => (one.file === proof.recommended ? [place + 1] : [])),
  };
}

/** The recommended checkpoint at each weight that was tried, over the prompts of one group; the base is the weight 0. */
export function byWeight(proof: Proof, group: string, baseWord: string, wordOf: (weight: number) => string): Shown {
  const prompts = proof.prompts.filter((prompt) => prompt.group === group && proof.weights.some((one) => prompt.name in one.pictures));
  const tried = proof.weights.filter((one) => Object.keys(one.pictures).length > 0).sort((one, other) => one.weight - other.weight);
  return {
    matrix: {
      rows: [baseWord, ...tried.map((one) => wordOf(one.weight))],
      columns: prompts.map((prompt) => prompt.name),
      cells: [prompts.map((prompt) => prompt.base), ...tried.map((one) => prompts.map((prompt) => one.pictures[prompt.name] ?? null))],
    },
    marked: tried.flatMap((one, place) => (one.weight === proof.weight ? [place + 1] : [])),
  };
}
