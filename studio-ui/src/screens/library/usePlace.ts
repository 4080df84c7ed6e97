import { useGet } from "../../api/queries";
import type { Lora } from "./useLoras";

export type Made = "resized" | "converted" | "merged" | "extracted" | "published";

/** Where what is made of a LoRA, or of none, goes unless one says otherwise: where nothing is yet. Undefined until that is known. */
export function usePlace(made: Made | undefined, lora?: Lora): string | undefined {
  const place = useGet(
    "/api/library/place",
    { query: { made: made ?? "extracted", of: lora?.id ?? "" } },
    { enabled: made !== undefined, gcTime: 0 },
  );
  return made !== undefined && place.isPending ? undefined : (place.data?.path ?? "");
}
