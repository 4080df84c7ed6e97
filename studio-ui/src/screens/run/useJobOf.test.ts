import { expect, test } from "vitest";
import { isOf } from "./useJobOf";

test.each([
  [{ out: "projects/mimi/runs/first" }, "mimi~first", true],
  [{ out: "/home/me/lora/projects/mimi/runs/first" }, "mimi~first", true],
  [{ run: "C:\\lora\\projects\\mimi\\runs\\first" }, "mimi~first", true],
  [{ run: "runs/zorvex" }, "zorvex", true],
  [{ out: "projects/mimi/runs/first-2" }, "mimi~first", false],
  [{ out: "projects/mimi/runs/zorvex" }, "zorvex", false],
  [{ out: "projects/mimi/runs/rates/trial-1" }, "mimi~rates~trial-1", true],
  [{ out: "projects/mimi/runs/rates/trial-1" }, "mimi~rates", false],
  [{ out: "runs/rates/trial-1" }, "~runs~rates~trial-1", true],
  [{ run: "/home/me/lora/projects/mimi/runs/zorvex" }, "zorvex", false],
  [{}, "zorvex", false],
])("%o trains %s: %s", (args, run, is) => expect(isOf(args as never, run)).toBe(is));
