import { useAddress } from "../../state/address";

/** The resolution that pictures are judged for, where the address asks for another than the base's, and how to ask for one. */
export function useResolution(): [resolution: number | undefined, ask: (resolution: number | undefined) => void] {
  const [asked, ask] = useAddress("resolution");
  return [Number(asked) || undefined, (resolution) => ask(resolution === undefined ? "" : String(resolution))];
}
