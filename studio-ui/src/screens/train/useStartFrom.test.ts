import { expect, test, vi } from "vitest";

vi.mock("../../words", () => ({ default: { t: (key: string) => key } }));
vi.mock("../../components/say", () => ({ say: () => undefined, sayProblem: () => undefined }));
const { changesFrom, changesIn } = await import("./useStartFrom");

const recipe = { name: "mimi", base: { path: "/a" }, network: { rank: 16, alpha: 8 } };

test("a new training has an earlier run's settings, not its name and places", () => {
  const settings = { name: "mimi-1", base: { path: "/b" }, network: { rank: 32, alpha: 8 }, cache: "/c" };
  expect(changesFrom(recipe, settings)).toEqual({ "network.rank": 32 });
});

test.each([
  ['{"network.rank": 8}', { "network.rank": 8 }],
  [null, {}],
  ["{", {}],
  ["[1]", {}],
  ["null", {}],
])("%s in the address", (text, changes) => expect(changesIn(text)).toEqual(changes));
