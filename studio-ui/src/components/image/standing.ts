/** Where an image that was asked for is: not shown because the studio cannot be heard, asked for once more, or gone for good. */
export type Standing = "waiting" | "again" | "gone";

const SIGNED_OUT = 401;
const SERVERS_FAULT = 500;

/** Where an image is that did not come, from the status of a second answer: 0 for none. `again`: it had been asked for once more already. */
export function standingAfter(status: number, again: boolean): Standing {
  if (status === 0 || status === SIGNED_OUT || status >= SERVERS_FAULT) return "waiting";
  if (status >= 400 || again) return "gone"; // there is none, or what came is no image
  return "again"; // it was cut short
}

/** The status with which the studio answers for this address now; 0 where it does not answer. */
export async function statusOf(src: string): Promise<number> {
  try {
    const response = await fetch(src);
    response.body?.cancel();
    return response.status;
  } catch {
    return 0;
  }
}
