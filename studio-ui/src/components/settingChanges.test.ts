import { expect, test } from "vitest";
import type { Shape } from "../api/client";
import { settingChangesOf } from "./settingChanges";

const with_ = (...changes: unknown[]) => ({ fix: { words: "Change it.", changes } }) as Shape<"FindingView">;

test("changes of settings belong together", () => {
  const rank = { kind: "setting", setting: "network.rank", value: 8 };
  const alpha = { kind: "setting", setting: "network.alpha" };
  expect(settingChangesOf(with_(rank, alpha))).toEqual({ "network.rank": 8, "network.alpha": null });
});

test("where anything else is to be done there is no button for settings", () => {
  expect(settingChangesOf(with_({ kind: "setting", setting: "network.rank", value: 8 }, { kind: "mend", way: "crop" }))).toBeUndefined();
  expect(settingChangesOf(with_())).toBeUndefined();
  expect(settingChangesOf({ fix: null } as Shape<"FindingView">)).toBeUndefined();
});
