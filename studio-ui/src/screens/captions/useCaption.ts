import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import { api, askWithVersion, type Shape } from "../../api/client";
import { Problem } from "../../api/problem";
import { keyOf } from "../../api/queries";
import { say } from "../../components/say";
import i18next from "../../words";
import { CaptionDraft, type DraftState, type Said } from "./draft";
import { tagsOfText, textWithTags, withTags } from "./tags";

type Read = { data: Shape<"CaptionView">; version: string };

const CAPTION = "/api/projects/{project}/captions/{caption}";
const PAGE = "/api/projects/{project}/pictures/page";

/** One caption as it is being written. */
export interface EditedCaption {
  /** As the studio has it; undefined until it has said so. */
  saved?: Read;
  /** Why it cannot be read. */
  unread: Problem | null;
  readAgain: () => void;
  /** As it is typed, or else as it is saved. */
  tags: string[];
  text: string;
  typed: DraftState;
  type: (said: Said) => void;
  /** Save what is typed; not where the caption was changed elsewhere, until it is chosen which one stays. */
  save: () => Promise<void>;
  saveOver: () => Promise<void>;
  forget: () => void;
}

export function useCaption(project: string, caption: string): EditedCaption {
  const client = useQueryClient();
  const {
    data: saved,
    error,
    refetch,
  } = useQuery<Read, Problem>({
    queryKey: captionKey(project, caption),
    queryFn: ({ signal }) => askWithVersion(api.GET(CAPTION, { params: { path: { project, caption } }, signal })),
  });
  const draft = draftOf(client, project, caption);
  const typed = useSyncExternalStore(draft.listen, draft.read);
  useEffect(
    () => () => {
      leave(draft);
    },
    [draft],
  );

  /** Until the studio has said what the caption is, tags that are typed are put behind those that it has, and no text is taken: it would replace what nobody has seen. */
  async function type(next: Said): Promise<void> {
    if (saved || draft.state.kept) return draft.type(next, saved?.version ?? "");
    const { data } = await refetch({ cancelRefetch: false });
    if (data && "tags" in next) draft.type({ tags: withTags(data.data.tags, next.tags) }, data.version);
  }

  const said = typed.kept?.said;
  const text = said === undefined ? saved?.data.text : "text" in said ? said.text : textWithTags(saved?.data.text ?? "", said.tags);
  const tags = said === undefined ? saved?.data.tags : "tags" in said ? said.tags : tagsOfText(said.text);
  return {
    saved,
    unread: error,
    readAgain: refetch,
    text: text ?? "",
    tags: tags ?? [],
    typed,
    type,
    save: () => (isContested(draft) ? Promise.resolve() : draft.save()),
    saveOver: async () => draft.saveOver((await refetch()).data?.version ?? ""),
    forget: () => draft.forget(),
  };
}

const drafts = new Map<string, CaptionDraft>();

function draftOf(client: QueryClient, project: string, caption: string): CaptionDraft {
  const key = `caption:${project}:${caption}`;
  const known = drafts.get(key) ?? new CaptionDraft(key, (said, version) => put(client, project, caption, said, version));
  drafts.set(key, known);
  return known;
}

function isContested(draft: CaptionDraft): boolean {
  return draft.state.problem?.status === 412;
}

/** What is typed is saved when the editor closes; where that is refused, a word in the corner says why, and the draft stays. */
async function leave(draft: CaptionDraft): Promise<void> {
  if (isContested(draft)) return;
  await draft.save();
  if (draft.state.problem) say(i18next.t("captions:kept_there", { why: draft.state.problem.message }));
}

function captionKey(project: string, caption: string) {
  return keyOf(CAPTION, { path: { project, caption } });
}

/** Write a caption; the editor and the list know at once what it says. Where somebody else has changed it, it is read again. */
async function put(client: QueryClient, project: string, caption: string, said: Said, version: string): Promise<string> {
  try {
    const call = api.PUT(CAPTION, { params: { path: { project, caption }, header: { "if-match": version } }, body: said });
    const written: Read = await askWithVersion(call);
    client.setQueryData(captionKey(project, caption), written);
    client.setQueriesData<Shape<"PicturePage">>({ queryKey: [PAGE] }, (page) => page && withCaption(page, written.data));
    return written.version;
  } catch (error) {
    if (error instanceof Problem && error.status === 412) await client.invalidateQueries({ queryKey: captionKey(project, caption) });
    throw error;
  }
}

function withCaption(page: Shape<"PicturePage">, { id, tags }: Shape<"CaptionView">): Shape<"PicturePage"> {
  return { ...page, items: page.items.map((item) => (item.caption === id ? { ...item, tags } : item)) };
}
