/// <reference lib="webworker" />
import { openStream, type Told } from "./stream";

/** Holds the browser's one connection to the studio's events, and hands everything to all its tabs. */

const tabs = new Map<MessagePort, string[]>();
let last: Told | undefined;
let hello: Told | undefined;

const stream = openStream((message) => {
  if (message.topic === "state") last = message;
  if (message.topic === "hello" || message.topic === "reset") hello = { ...message, topic: "hello" };
  for (const tab of tabs.keys()) tab.postMessage(message);
});

function sayWatched(): void {
  stream.watch([...new Set([...tabs.values()].flat())]);
}

(self as unknown as SharedWorkerGlobalScope).onconnect = (event) => {
  const tab = event.ports[0] as MessagePort;
  tabs.set(tab, []);
  tab.onmessage = ({ data }: MessageEvent<{ watch?: string[]; leave?: true }>) => {
    if (data.leave) tabs.delete(tab);
    else tabs.set(tab, data.watch ?? []);
    sayWatched();
  };
  if (last) tab.postMessage(last);
  if (hello) tab.postMessage(hello);
};
