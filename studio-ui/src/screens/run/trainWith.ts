import type { Json } from "../../components/fields/json";

/** The address of a new training that begins as a run did, with some settings changed. */
export function trainWith(run: { id: string; project: string }, changes: Record<string, Json> = {}): string {
  const query = new URLSearchParams({ from: run.id });
  if (Object.keys(changes).length > 0) query.set("with", JSON.stringify(changes));
  return `/projects/${encodeURIComponent(run.project)}/train?${query}`;
}
