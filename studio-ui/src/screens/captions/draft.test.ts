import { expect, test } from "vitest";
import { Problem } from "../../api/problem";
import { CaptionDraft, type Said } from "./draft";

function refusal(status: number): Problem {
  return new Problem({
    type: "/problems/captions",
    title: "",
    status,
    detail: "No.",
    code: "captions.changed",
    values: {},
    place: null,
    actions: [],
  });
}

/** A studio whose caption gets versions "2", "3", ...; it answers when it is told to. */
function studio() {
  const sent: [Said, string][] = [];
  const answers: (() => void)[] = [];
  const put = (said: Said, version: string) => {
    sent.push([said, version]);
    return new Promise<string>((answer) => answers.push(() => answer(String(sent.length + 1))));
  };
  return { sent, put, answer: () => answers.shift()?.() };
}

test("what is typed while a save is under way is saved after it, over the version that the answer brought", async () => {
  const { sent, put, answer } = studio();
  const draft = new CaptionDraft("a", put);
  draft.type({ tags: ["hat"] }, "1");
  const saved = draft.save();
  draft.type({ tags: ["hat", "night"] }, "1");
  expect(draft.save()).toBe(saved);
  answer();
  await new Promise((after) => setTimeout(after));
  answer();
  await saved;
  expect(sent).toEqual([
    [{ tags: ["hat"] }, "1"],
    [{ tags: ["hat", "night"] }, "2"],
  ]);
  expect(draft.state).toEqual({ kept: undefined, saving: false, problem: undefined });
});

test("a caption that somebody else changed is not overwritten, and what was typed is kept", async () => {
  const sent: string[] = [];
  const draft = new CaptionDraft("b", async (_, version) => {
    sent.push(version);
    if (version === "1") throw refusal(412);
    return "3";
  });
  draft.type({ tags: ["hat"] }, "1");
  await draft.save();
  expect(draft.state.problem?.status).toBe(412);
  expect(draft.state.kept?.said).toEqual({ tags: ["hat"] });
  await draft.saveOver("2");
  expect(sent).toEqual(["1", "2"]);
  expect(draft.state.kept).toBe(undefined);
});

test("tags that are changed in a text that was typed stay in that text", () => {
  const draft = new CaptionDraft("c", async () => "2");
  draft.type({ text: "hat, night\nA hat at night." }, "1");
  draft.type({ tags: ["night"] }, "1");
  expect(draft.state.kept?.said).toEqual({ text: "night\nA hat at night." });
});

test("nothing typed sends nothing", async () => {
  const { sent, put } = studio();
  await new CaptionDraft("d", put).save();
  expect(sent).toEqual([]);
});
