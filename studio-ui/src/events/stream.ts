/** One connection to the studio's events: what arrives, and what is watched. A browser has one for all its tabs (worker.ts). */

export type Told =
  | { topic: "hello" | "reset"; data: { stream: string } }
  | { topic: "run"; data: RunNews }
  | { topic: "job"; data: { id: number } & Record<string, unknown> }
  | { topic: "dataset"; data: { project: string; version?: string; gone?: boolean } }
  | { topic: "library" | "system"; data: Record<string, unknown> }
  | { topic: "state"; data: { connected: boolean } };

export interface RunNews {
  run: string;
  gone?: boolean;
  from?: number;
  to?: number;
  events?: Record<string, unknown>[];
  summary?: { step: number; steps: number | null; eta: number | null; ended: boolean } | null;
}

const TOPICS = ["hello", "reset", "run", "job", "dataset", "library", "system"] as const;

/** Open the stream; `tell` gets every message. `watch` says what to listen to from now on, also after a new start of the studio. */
export function openStream(tell: (message: Told) => void): { watch: (topics: string[]) => void; close: () => void } {
  let watched: string[] = [];
  let stream = "";
  let saying = false;
  const source = new EventSource("/api/events");

  /** One call after the other: of two at once, the older might arrive last. */
  async function sayWatched(): Promise<void> {
    if (!stream || saying) return;
    saying = true;
    for (let said: unknown; said !== watched; ) {
      said = watched;
      await fetch(`/api/events/${stream}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Lorasmith": "1" },
        body: JSON.stringify({ watch: watched }),
      }).catch(() => undefined); // the connection is down: `hello` or `reset` says it again
    }
    saying = false;
  }

  for (const topic of TOPICS) {
    source.addEventListener(topic, (event) => {
      const data = JSON.parse((event as MessageEvent<string>).data);
      if (topic === "hello" || topic === "reset") {
        stream = data.stream;
        watched = [...watched]; // it is another stream that has to be told
        if (watched.length > 0) sayWatched();
      }
      tell({ topic, data } as Told);
    });
  }
  source.addEventListener("open", () => tell({ topic: "state", data: { connected: true } }));
  source.addEventListener("error", () => tell({ topic: "state", data: { connected: false } }));
  return {
    watch: (topics) => {
      watched = topics;
      sayWatched();
    },
    close: () => source.close(),
  };
}
