import { Button, Skeleton } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import { useGet } from "../../api/queries";
import { ErrorCard } from "../../components/ErrorCard";
import type { Picture as PictureItem } from "../../components/gallery/usePictures";
import { say, sayProblem } from "../../components/say";
import { useKeys } from "../../keys/useKeys";
import classes from "./Captions.module.css";
import { Editor } from "./Editor";
import { Picture } from "./Picture";
import { useRecentTags } from "./recent";
import { withTags } from "./tags";
import { type EditedCaption, useCaption } from "./useCaption";
import { useTagger } from "./useTagger";

interface Props {
  project: string;
  ids: readonly string[];
  /** The picture that is worked on. */
  current: string;
  /** What the list knows of it. */
  picture: PictureItem | undefined;
  triggers: readonly string[];
  tags: readonly Shape<"TagCount">[];
  onGo: (id: string) => void;
  /** Opens what makes captions UTF-8. */
  onConvert: () => void;
}

/** A picture with its caption beside it, and the keys that lead from one to the next. */
export function Workplace({ project, current, picture: listed, onConvert, ...props }: Props) {
  const { t } = useTranslation("captions");
  const asked = useGet(
    "/api/projects/{project}/pictures/{picture}",
    { path: { project, picture: current } },
    { enabled: current !== "" && listed === undefined },
  );
  const picture = listed ?? asked.data;
  if (picture === undefined) {
    return (
      <div className={classes.work}>
        {asked.error && <ErrorCard problem={asked.error} onAgain={asked.refetch} />}
        {asked.isLoading && <Skeleton height={320} m="md" aria-busy />}
      </div>
    );
  }
  return (
    <div className={classes.work}>
      <Picture key={picture.id} picture={picture} />
      {picture.caption === null ? (
        <div className={classes.unreadable}>
          <p>{t("not_utf8")}</p>
          <Button size="xs" variant="default" onClick={onConvert}>
            {t("convert_them")}
          </Button>
        </div>
      ) : (
        <Caption key={picture.caption} project={project} picture={picture.id} caption={picture.caption} {...props} />
      )}
    </div>
  );
}

type CaptionProps = Omit<Props, "current" | "picture" | "onConvert"> & { picture: string; caption: string };

function Caption({ project, picture, caption: id, ids, triggers, tags, onGo }: CaptionProps) {
  const caption = useCaption(project, id);
  const tagger = useTagger(project, picture);
  const [recent, used] = useRecentTags(project);
  const field = useRef<HTMLInputElement>(null);
  const go = useSteps(project, ids, picture, caption, onGo);

  function add(tag: string | undefined): boolean {
    if (tag === undefined) return false;
    used([tag]);
    caption.type({ tags: withTags(caption.tags, [tag]) });
    return true;
  }

  useKeys({
    "Ctrl+ArrowDown": () => go.by(1),
    "Ctrl+ArrowUp": () => go.by(-1),
    "Ctrl+Enter": () => go.by(1),
    u: () => go.toUncaptioned(),
    a: () => field.current?.focus(),
    ".": () => add(recent[0]),
    "Ctrl+Z": () => takeBack(caption),
    ...Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`Alt+${at + 1}`, () => add(recent[at])])),
  });

  if (caption.unread && !caption.saved) return <ErrorCard problem={caption.unread} onAgain={caption.readAgain} />;
  return (
    <Editor
      project={project}
      id={id}
      caption={caption}
      triggers={triggers}
      tagger={tagger}
      own={tags.map((one) => ({ ...one, source: "" }))}
      recent={recent}
      onUsed={used}
      field={field}
      onNext={() => go.by(1)}
      onPrevious={() => go.by(-1)}
    />
  );
}

/** Steps from a picture to others; what is typed is saved on the way. */
function useSteps(project: string, ids: readonly string[], picture: string, caption: EditedCaption, onGo: (id: string) => void) {
  const { t } = useTranslation("captions");
  const client = useQueryClient();
  const at = ids.indexOf(picture);
  const last = useRef(at);
  if (at >= 0) last.current = at; // where it was, also after a filter has hidden it

  function leaveFor(id: string | undefined): void {
    caption.save();
    if (id !== undefined) onGo(id);
  }

  function by(step: number): void {
    const to = at < 0 && step > 0 ? last.current : last.current + step;
    leaveFor(ids[Math.min(Math.max(to, 0), ids.length - 1)]);
  }

  async function toUncaptioned() {
    const params = { path: { project }, query: { q: "chars:0" } };
    try {
      const { ids: bare } = await client.fetchQuery({
        queryKey: ["/api/projects/{project}/pictures", params],
        queryFn: () => ask(api.GET("/api/projects/{project}/pictures", { params })),
        staleTime: 0,
      });
      const shown = new Set(bare);
      const onwards = [...ids.slice(last.current + 1), ...ids.slice(0, last.current)];
      const found = onwards.find((id) => shown.has(id));
      if (found === undefined) say(t("all_captioned"));
      leaveFor(found);
    } catch (error) {
      sayProblem(error);
    }
  }

  return { by, toUncaptioned };
}

/** Ctrl+Z takes back what is not saved yet; after that it is the undo of everything, which waits for a save that is under way. */
function takeBack({ typed, forget }: EditedCaption): boolean {
  if (typed.kept && !typed.saving) forget();
  return typed.kept !== undefined;
}
