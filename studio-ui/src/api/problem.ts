import { problemWords } from "../words/problemWords";
import type { components } from "./schema";

type Told = components["schemas"]["Problem"];

/**
 * Why a call was not answered: the studio's own sentence, with its code, the place that is wrong and what can be done. Its message is in the
 * language that the page has when it is read.
 */
export class Problem extends Error {
  constructor(readonly told: Told) {
    super(told.detail);
    this.name = "Problem";
    Object.defineProperty(this, "message", { get: () => problemWords(told) });
  }

  get code(): string {
    return this.told.code;
  }

  get status(): number {
    return this.told.status;
  }

  static unreachable(): Problem {
    return new Problem({
      type: "/problems/studio",
      title: "No answer",
      status: 0,
      detail: "The studio does not answer. Start it again with `lorasmith studio`; what you typed is still here.",
      code: "studio.unreachable",
      values: {},
      place: null,
      actions: [],
    });
  }
}

/** A problem from whatever a failed call brought back. */
export function problemOf(error: unknown, status: number): Problem {
  if (error instanceof Problem) return error;
  if (typeof error === "object" && error !== null && "detail" in error && "code" in error) return new Problem(error as Told);
  const detail = typeof error === "string" && error ? error : `The studio answered with the status ${status}. Look into its log.`;
  return new Problem({
    type: "/problems/studio",
    title: "No answer",
    status,
    detail,
    code: "studio.answer",
    values: { status },
    place: null,
    actions: [],
  });
}
