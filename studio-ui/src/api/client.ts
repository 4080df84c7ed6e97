import createClient from "openapi-fetch";
import { Problem, problemOf } from "./problem";
import type { components, paths } from "./schema";

/** The shapes that the API sends, by their names in its document: `Shape<"JobView">`. */
export type Shape<Name extends keyof components["schemas"]> = components["schemas"][Name];

/** Calls to the studio, typed by its OpenAPI document. `await ask(api.GET("/api/projects"))` gives the answer or throws a `Problem`. */
export const api = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? "",
  headers: { "X-Lorasmith": "1" }, // which no form of a foreign page can send
});

/** The answer of a call. Throws a `Problem`, also where the studio cannot be reached. */
export async function ask<Answer>(call: Promise<{ data?: Answer; error?: unknown; response: Response }>): Promise<Answer> {
  return (await askWithVersion(call)).data;
}

/** The answer with its `ETag`, which goes back as `If-Match` with the change. */
export async function askWithVersion<Answer>(
  call: Promise<{ data?: Answer; error?: unknown; response: Response }>,
): Promise<{ data: Answer; version: string }> {
  const { data, error, response } = await call.catch(() => {
    throw Problem.unreachable();
  });
  if (!response.ok) throw problemOf(error, response.status);
  return { data: data as Answer, version: response.headers.get("etag") ?? "" };
}
