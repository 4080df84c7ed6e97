import { useEffect, useSyncExternalStore } from "react";
import { openStream, type Told } from "./stream";

/** The studio's events in this tab: by the browser's shared worker, or by a connection of its own where there are none. */

type Listener = (message: Told) => void;

const listeners = new Set<Listener>();
const wanted = new Map<symbol, string[]>();
let connected = true;
let heardAgain = 0;
let saying = false;
let say: ((topics: string[]) => void) | undefined;

function tell(message: Told): void {
  if (message.topic === "state") {
    if (message.data.connected && !connected) heardAgain += 1;
    connected = message.data.connected;
  }
  for (const listener of [...listeners]) listener(message);
}

function begin(): (topics: string[]) => void {
  if (typeof SharedWorker === "undefined") return openStream(tell).watch;
  const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), { type: "module", name: "lorasmith-events" });
  worker.port.onmessage = ({ data }: MessageEvent<Told>) => tell(data);
  worker.port.start();
  addEventListener("pagehide", () => worker.port.postMessage({ leave: true }));
  addEventListener("pageshow", (event) => {
    if ((event as PageTransitionEvent).persisted) sayWanted();
  });
  return (topics) => worker.port.postMessage({ watch: topics });
}

/** Once for all that changes at once: one topic in place of another is never none of them. */
function sayWanted(): void {
  if (saying) return;
  saying = true;
  queueMicrotask(() => {
    saying = false;
    say ??= begin();
    say([...new Set([...wanted.values()].flat())]);
  });
}

/** Call `listener` with every message until the returned function is called. */
export function listen(listener: Listener): () => void {
  say ??= begin();
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Watch topics while the component is shown: `run:zorvex@88123` from a byte of its events on, `dataset:mimi`. */
export function useWatch(topics: string[]): void {
  const key = topics.join("\n");
  useEffect(() => {
    const mine = Symbol();
    wanted.set(mine, key ? key.split("\n") : []);
    sayWanted();
    return () => {
      wanted.delete(mine);
      sayWanted();
    };
  }, [key]);
}

/** Call `listener` with every message while the component is shown. It must be kept with useCallback. */
export function useNews(listener: Listener): void {
  useEffect(() => listen(listener), [listener]);
}

/** Whether the studio can be heard. */
export function useConnected(): boolean {
  return useSyncExternalStore(listen as (change: () => void) => () => void, () => connected);
}

/** How often the studio could be heard again after it could not. */
export function timesHeardAgain(): number {
  return heardAgain;
}
