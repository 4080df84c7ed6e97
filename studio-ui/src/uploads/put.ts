import type { Shape } from "../api/client";
import { Problem, problemOf } from "../api/problem";

/** Send a file, or the rest of one from `offset` on. `onSent` is told how many of its bytes have left. Throws a `Problem`. */
export function putFile(
  address: string,
  name: string,
  file: File,
  offset: number,
  onSent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Shape<"FileView">> {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest(); // fetch does not say how much has left
    request.open("PUT", address);
    request.responseType = "json";
    request.setRequestHeader("X-Lorasmith", "1");
    request.setRequestHeader("X-Name", encodeURIComponent(name));
    request.setRequestHeader("Upload-Length", String(file.size));
    request.setRequestHeader("Upload-Offset", String(offset));
    request.upload.onprogress = (event) => onSent(offset + event.loaded);
    request.onload = () => (request.status < 300 ? done(request.response) : failed(problemOf(request.response, request.status)));
    request.onerror = () => failed(Problem.unreachable());
    request.onabort = () => failed(signal.reason);
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(offset === 0 ? file : file.slice(offset));
  });
}
