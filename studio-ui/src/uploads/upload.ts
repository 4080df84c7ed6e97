import type { Shape } from "../api/client";
import type { Problem } from "../api/problem";
import type { Gathered } from "./gather";

/** One upload as the page sees it, and how it changes. Nothing here calls the studio (store.ts does). */

export interface Sent {
  name: string;
  size: number;
  /** Bytes that have left. */
  sent: number;
  complete: boolean;
  /** Why it was not taken. */
  refused?: string;
  /** Gone after the page was loaded again, until it is dropped once more. */
  file?: File;
}

export interface Upload {
  id: string;
  project: string;
  /** Numbered as the studio numbers them. */
  files: readonly Sent[];
  /** `broken`: files are missing, because the page was loaded again. `waiting`: the studio does not answer. */
  state: "sending" | "waiting" | "broken" | "importing" | "done" | "failed";
  /** The job that imports it. */
  job?: Shape<"JobView">;
  problem?: Problem;
}

export function newUpload(id: string, project: string, gathered: readonly Gathered[]): Upload {
  return { id, project, state: "sending", files: gathered.map(fresh) };
}

function fresh({ file, name, unread }: Gathered): Sent {
  return { name, file, size: file?.size ?? 0, sent: 0, complete: false, refused: unread };
}

/** By what a file is known that is dropped again. */
function known({ name, file }: Gathered): string {
  return file ? `${name}\n${file.size}` : name;
}

/** A broken upload with files that were dropped once more; those that it did not have come last. */
export function goneOn(upload: Upload, gathered: readonly Gathered[]): Upload {
  const dropped = new Map(gathered.map((one) => [known(one), one]));
  const files = upload.files.map((sent) => {
    const again = dropped.get(`${sent.name}\n${sent.size}`);
    if (!again) return sent;
    dropped.delete(`${sent.name}\n${sent.size}`);
    return { ...sent, file: again.file };
  });
  return { ...upload, state: "sending", files: [...files, ...[...dropped.values()].map(fresh)] };
}

/** Whether some of what was dropped is what a broken upload lacks. */
export function lacks(upload: Upload, gathered: readonly Gathered[]): boolean {
  const missing = new Set(upload.files.filter((file) => !file.complete).map((file) => `${file.name}\n${file.size}`));
  return upload.state === "broken" && gathered.some((one) => missing.has(known(one)));
}

/** The upload with what the studio says that it has. */
export function asReceived(upload: Upload, there: readonly Shape<"FileView">[]): Upload {
  const byNumber = new Map(there.map((file) => [file.number, file]));
  return {
    ...upload,
    files: upload.files.map((file, number) => ({
      ...file,
      sent: byNumber.get(number)?.received ?? 0,
      complete: byNumber.get(number)?.complete ?? false,
    })),
  };
}

export function withFile(upload: Upload, number: number, change: Partial<Sent>): Upload {
  return { ...upload, files: upload.files.map((file, index) => (index === number ? { ...file, ...change } : file)) };
}

/** The files that can be sent now. */
export function toSend(upload: Upload): number[] {
  return upload.files.flatMap((file, number) => (file.file && !file.complete && !file.refused ? [number] : []));
}

/** Bytes that have left, and all. */
export function progressOf(upload: Upload): { sent: number; of: number; files: number; complete: number } {
  const wanted = upload.files.filter((file) => !file.refused);
  return {
    sent: wanted.reduce((sum, file) => sum + (file.complete ? file.size : file.sent), 0),
    of: wanted.reduce((sum, file) => sum + file.size, 0),
    files: wanted.length,
    complete: wanted.filter((file) => file.complete).length,
  };
}
