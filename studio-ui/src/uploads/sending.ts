import { api, ask, type Shape } from "../api/client";
import { Problem, problemOf } from "../api/problem";
import { listen } from "../events/news";
import { hasEnded } from "../frame/job";
import i18next from "../words";
import type { Gathered } from "./gather";
import { putFile } from "./put";
import { allUploads, changeUpload, dropUpload, getUpload, putUpload, rememberedUploads } from "./store";
import { asReceived, goneOn, lacks, newUpload, type Sent, toSend, type Upload, withFile } from "./upload";

/** Sending: three files at a time, which go on after a break, and become an import job when all are there. */

const AT_ONCE = 3;
const TRY_AGAIN_AFTER = 2000; // milliseconds
const stops = new Map<string, AbortController>();

/** Send files into a project. Where some are what a broken upload of it lacks, that one goes on. */
export async function beginUpload(project: string, gathered: readonly Gathered[]): Promise<void> {
  if (gathered.length === 0) return;
  const told = gathered.map((one) => (one.file ? one : { ...one, unread: i18next.t("uploads:not_read", { name: one.name }) }));
  const broken = allUploads().find((upload) => upload.project === project && lacks(upload, gathered));
  if (broken) {
    putUpload(goneOn(broken, told));
    return send(broken.id);
  }
  const { id } = await ask(api.POST("/api/uploads", { body: { project } }));
  putUpload(newUpload(id, project, told));
  return send(id);
}

/** Import what is there of a broken upload, without the rest. */
export async function importWhatIsThere(id: string): Promise<void> {
  changeUpload(id, (upload) => ({ ...upload, files: upload.files.filter((file) => file.complete) }));
  await commit(id);
}

/** Stop an upload and throw away what came in; one that has been imported is only taken off the list. */
export async function forgetUpload(id: string): Promise<void> {
  const upload = getUpload(id);
  stops.get(id)?.abort(new Problem({ ...Problem.unreachable().told, code: "upload.cancelled" }));
  dropUpload(id);
  if (upload && !upload.job) await ask(api.DELETE("/api/uploads/{upload}", { params: { path: { upload: id } } })).catch(() => undefined);
}

async function send(id: string): Promise<void> {
  const stop = new AbortController();
  stops.set(id, stop);
  const waiting = toSend(getUpload(id) as Upload);
  async function sender() {
    for (let number = waiting.shift(); number !== undefined; number = waiting.shift()) await sendOne(id, number, stop.signal);
  }
  await Promise.all(Array.from({ length: AT_ONCE }, sender)).catch(() => undefined); // it was cancelled
  const upload = getUpload(id);
  if (!upload || stop.signal.aborted) return;
  if (upload.files.every((file) => file.complete || file.refused)) await commit(id);
  else changeUpload(id, (now) => ({ ...now, state: "broken" }));
}

/** Send one file, again and again while the studio cannot be reached. What the studio does not take is marked with its reason. */
async function sendOne(id: string, number: number, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const { name, file, sent } = (getUpload(id) as Upload).files[number] as Sent & { file: File };
    try {
      const onSent = (bytes: number) => changeUpload(id, (upload) => withFile(upload, number, { sent: bytes }));
      const there = await putFile(`/api/uploads/${id}/files/${number}`, name, file, sent, onSent, signal);
      changeUpload(id, (upload) => withFile({ ...upload, state: "sending" }, number, { sent: there.received, complete: there.complete }));
      if (there.complete) return;
    } catch (error) {
      if (signal.aborted) throw error;
      const problem = problemOf(error, 0);
      if (problem.status >= 400 && problem.status < 500 && problem.code !== "upload.stale") {
        changeUpload(id, (upload) => withFile(upload, number, { refused: problem.message }));
        return;
      }
      if (problem.code === "upload.disk_full") {
        changeUpload(id, (upload) => ({ ...upload, state: "failed", problem }));
        throw error;
      }
      if (problem.code === "studio.unreachable" && !(await isReadable(file))) {
        changeUpload(id, (upload) => withFile(upload, number, { refused: i18next.t("uploads:unreadable", { name }) }));
        return;
      }
      changeUpload(id, (upload) => ({ ...upload, state: "waiting" }));
      await new Promise((done) => setTimeout(done, TRY_AGAIN_AFTER));
      if (await isThere(id, number)) return;
    }
  }
}

/** Whether a file is still what was chosen. Browsers say of one that was removed or changed since, and of a studio that is gone, the same. */
async function isReadable(file: File): Promise<boolean> {
  const reader = file.stream().getReader(); // a part of a file that is gone would be empty, and no fault
  try {
    await reader.read();
    return true;
  } catch {
    return false;
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/** Ask the studio what it has of a file that broke off: all of it, where only the answer was lost. */
async function isThere(id: string, number: number): Promise<boolean> {
  const there = await ask(api.GET("/api/uploads/{upload}", { params: { path: { upload: id } } })).catch(() => undefined);
  if (!there) return false;
  const file = there.files.find((one) => one.number === number);
  const complete = file?.complete ?? false;
  changeUpload(id, (upload) => withFile({ ...upload, state: "sending" }, number, { sent: file?.received ?? 0, complete }));
  return complete;
}

async function commit(id: string): Promise<void> {
  const upload = getUpload(id) as Upload;
  if (!upload.files.some((file) => file.complete)) {
    changeUpload(id, (now) => ({ ...now, state: "failed" }));
    return;
  }
  try {
    const job = await ask(
      api.POST("/api/uploads/{upload}/commit", { params: { path: { upload: id } }, body: { repeats: 1, without_incomplete: true } }),
    );
    changeUpload(id, (now) => ({ ...now, ...ofJob(job) }));
  } catch (error) {
    const problem = problemOf(error, 0);
    if (problem.code === "upload.exists") return takeUp(upload); // before the page was loaded again, say
    changeUpload(id, (now) => ({ ...now, state: "failed", problem }));
  }
}

function ofJob(job: Shape<"JobView">): Pick<Upload, "job" | "state"> {
  return { job, state: job.state === "done" ? "done" : hasEnded(job) ? "failed" : "importing" };
}

listen((message) => {
  if (message.topic !== "job") return;
  const job = message.data as unknown as Shape<"JobView">;
  for (const upload of allUploads()) if (upload.job?.id === job.id) changeUpload(upload.id, (now) => ({ ...now, ...ofJob(job) }));
});

/** What this tab was sending before it was loaded again, as far as the studio still has it. */
async function takeUp(kept: Upload): Promise<void> {
  try {
    const there = await ask(api.GET("/api/uploads/{upload}", { params: { path: { upload: kept.id } } }));
    const upload = asReceived(kept, there.files);
    if (there.job !== null) {
      const job = await ask(api.GET("/api/jobs/{job}", { params: { path: { job: there.job } } }));
      putUpload({ ...kept, ...ofJob(job) });
    } else {
      putUpload({ ...upload, state: "broken" });
      if (upload.files.every((file) => file.complete || file.refused)) await commit(kept.id);
    }
  } catch (error) {
    if (problemOf(error, 0).status !== 404) putUpload({ ...kept, state: "broken" });
  }
}

for (const upload of rememberedUploads()) takeUp(upload);

globalThis.addEventListener?.("beforeunload", (event) => {
  if (allUploads().some(({ state }) => state === "sending" || state === "waiting")) event.preventDefault(); // the browser asks first
});
