import type { QueryClient } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { lookAgain } from "../../api/queries";

/** What is shown of the library is read again, from the files. */
export async function readAgain(client: QueryClient): Promise<void> {
  await ask(api.POST("/api/library:refresh"));
  await lookAgain(client, "/api/library/{id}", "/api/library");
}
