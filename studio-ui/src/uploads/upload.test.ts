import { expect, test } from "vitest";
import type { Gathered } from "./gather";
import { asReceived, goneOn, lacks, newUpload, progressOf, toSend, type Upload, withFile } from "./upload";

const gathered = (...files: [string, number][]): Gathered[] => files.map(([name, size]) => ({ name, file: { name, size } as File }));
const broken = (upload: Upload): Upload => ({
  ...upload,
  state: "broken",
  files: upload.files.map((file) => ({ ...file, file: undefined })),
});

test("what was dropped is sent, but for what is refused or there already", () => {
  let upload = newUpload("u", "mimi", gathered(["1.png", 10], ["2.png", 20], ["3.png", 30]));
  expect(toSend(upload)).toEqual([0, 1, 2]);
  upload = withFile(withFile(upload, 0, { complete: true }), 2, { refused: "Too large." });
  expect(toSend(upload)).toEqual([1]);
  expect(progressOf(withFile(upload, 1, { sent: 5 }))).toEqual({ sent: 15, of: 30, files: 2, complete: 1 });
});

test("after a reload the same files go on where they broke off, and others come along", () => {
  const before = newUpload("u", "mimi", gathered(["1.png", 10], ["2.png", 20]));
  const there = asReceived(broken(before), [
    { number: 0, name: "1.png", received: 10, complete: true },
    { number: 1, name: "2.png", received: 7, complete: false },
  ]);
  expect(toSend(there)).toEqual([]);
  expect(lacks(there, gathered(["9.png", 20]))).toBe(false);
  const again = gathered(["1.png", 10], ["2.png", 20], ["3.png", 30]);
  expect(lacks(there, again)).toBe(true);
  const on = goneOn(there, again);
  expect(toSend(on)).toEqual([1, 2]);
  expect(on.files[1]?.sent).toBe(7);
  expect(on.files.map((file) => file.name)).toEqual(["1.png", "2.png", "3.png"]);
});

test("what the browser could not read is listed with what was not taken, and the rest is sent", () => {
  const upload = newUpload("u", "mimi", [...gathered(["1.png", 10]), { name: "mimi/locked", unread: "mimi/locked could not be read." }]);
  expect(toSend(upload)).toEqual([0]);
  expect(upload.files[1]?.refused).toBe("mimi/locked could not be read.");
  expect(progressOf(upload)).toEqual({ sent: 0, of: 10, files: 1, complete: 0 });
  expect(lacks(broken(upload), [{ name: "1.png" }])).toBe(false);
});

test("a file of the same name and another size is another file", () => {
  const there = broken(newUpload("u", "mimi", gathered(["1.png", 10])));
  expect(lacks(there, gathered(["1.png", 11]))).toBe(false);
});
