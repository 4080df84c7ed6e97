import { useSyncExternalStore } from "react";
import { keepDraft, readDraft } from "../state/draft";
import type { Upload } from "./upload";

/** The tab's uploads, which it remembers over a reload, but for the files themselves. */

const KEPT = "uploads";

let uploads: readonly Upload[] = [];
const listeners = new Set<() => void>();

/** The uploads into a project, or all. */
export function useUploads(project?: string): readonly Upload[] {
  const all = useSyncExternalStore(subscribe, () => uploads);
  return project === undefined ? all : all.filter((upload) => upload.project === project);
}

export function allUploads(): readonly Upload[] {
  return uploads;
}

export function getUpload(id: string): Upload | undefined {
  return uploads.find((upload) => upload.id === id);
}

export function putUpload(upload: Upload): void {
  set([...uploads.filter((other) => other.id !== upload.id), upload]);
}

export function changeUpload(id: string, to: (upload: Upload) => Upload): void {
  set(uploads.map((upload) => (upload.id === id ? to(upload) : upload)));
}

export function dropUpload(id: string): void {
  set(uploads.filter((other) => other.id !== id));
}

/** What this tab was sending before it was loaded again. */
export function rememberedUploads(): Upload[] {
  return readDraft<Upload[]>(KEPT, []);
}

globalThis.addEventListener?.("pagehide", () => {
  const kept = uploads.map(({ problem: _, ...upload }) => ({ ...upload, files: upload.files.map(({ file: __, ...sent }) => sent) }));
  keepDraft(KEPT, kept.length > 0 ? kept : undefined);
});

function set(next: readonly Upload[]): void {
  uploads = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
