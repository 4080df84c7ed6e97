import { expect, test } from "vitest";
import { folderOfSweep } from "./jobOf";

test.each([
  ["rates", "runs/rates"],
  ["mimi~rates", "projects/mimi/runs/rates"],
  ["~tries~rates", "tries/rates"],
])("the sweep %s is in %s", (id, folder) => expect(folderOfSweep(id)).toBe(folder));
