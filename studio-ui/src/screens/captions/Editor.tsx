import { ActionIcon, Button, SegmentedControl, Textarea, Tooltip } from "@mantine/core";
import { ChevronDown, ChevronUp } from "lucide-react";
import { type FocusEvent, type Ref, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { ErrorCard } from "../../components/ErrorCard";
import { useDraft } from "../../state/draft";
import { Changed } from "./Changed";
import classes from "./Editor.module.css";
import { Ghosts } from "./Ghosts";
import { RecentTags } from "./RecentTags";
import type { Suggestion } from "./suggest";
import { TagField } from "./TagField";
import { TagPills } from "./TagPills";
import { isSentences, keyOfTag, splitTriggers, withTags } from "./tags";
import { TokenBar } from "./tokens/TokenBar";
import { unreadTags } from "./tokens/tokens";
import { useTokens } from "./tokens/useTokens";
import type { EditedCaption } from "./useCaption";
import type { TaggersTag } from "./useTagger";

const STILL_FOR = 800; // milliseconds after the last change of a tag before it is saved

interface Props {
  project: string;
  id: string;
  caption: EditedCaption;
  triggers: readonly string[];
  /** What the tagger said of the picture; null where none has seen it. */
  tagger: readonly TaggersTag[] | null;
  own: readonly Suggestion[];
  recent: readonly string[];
  onUsed: (tags: readonly string[]) => void;
  field: Ref<HTMLInputElement>;
  onNext: () => void;
  onPrevious: () => void;
}

/** A caption as tags or as text. It is saved when the focus leaves, when one goes on, and a moment after a tag was changed. */
export function Editor({ project, id, caption, triggers, tagger, own, recent, onUsed, field, onNext, onPrevious }: Props) {
  const { t } = useTranslation("captions");
  const [form, setForm] = useDraft<"" | "tags" | "text">(`form:${project}`, "");
  const shown = form || (isSentences(caption.saved?.data.text ?? "") ? "text" : "tags");
  const [locked, tags] = splitTriggers(caption.tags, triggers);
  const sure = new Map(tagger?.map((tag) => [keyOfTag(tag.tag), tag.probability]));
  const { typed, save } = caption;
  const tokens = useTokens(project, caption.text);

  // biome-ignore lint/correctness/useExhaustiveDependencies: each change of the tags begins the wait anew
  useEffect(() => {
    if (!typed.kept || typed.problem || !("tags" in typed.kept.said)) return;
    const timer = setTimeout(save, STILL_FOR);
    return () => clearTimeout(timer);
  }, [typed.kept?.said]);

  function change(next: string[]): void {
    caption.type({ tags: [...locked, ...next] });
  }

  function add(added: readonly string[]): void {
    onUsed(added);
    change(withTags(tags, added));
  }

  function left({ currentTarget, relatedTarget }: FocusEvent): void {
    if (!currentTarget.contains(relatedTarget)) save();
  }

  return (
    <section className={classes.editor} aria-label={t("caption_of", { id })} onBlur={left}>
      <div className={classes.head}>
        <strong className={classes.name}>{id}</strong>
        <SegmentedControl
          size="xs"
          value={shown}
          onChange={(value) => setForm(value as "tags" | "text")}
          data={[
            { value: "tags", label: t("as_tags") },
            { value: "text", label: t("as_text") },
          ]}
        />
      </div>
      {typed.problem &&
        (typed.problem.status === 412 ? (
          <Changed caption={caption} />
        ) : (
          <ErrorCard key={typed.problem.message} problem={typed.problem} onAgain={save} />
        ))}
      {shown === "text" ? (
        <Textarea
          aria-label={t("text")}
          autosize
          minRows={6}
          maxRows={20}
          value={caption.text}
          onChange={(event) => caption.type({ text: event.currentTarget.value })}
        />
      ) : (
        <>
          {triggers.length > locked.length && (
            <Button variant="light" size="compact-sm" onClick={() => caption.type({ tags: withTags(triggers, tags) })}>
              {t("put_trigger_first", { trigger: triggers.join(", ") })}
            </Button>
          )}
          <TagPills
            locked={locked}
            tags={tags}
            unread={tokens.data ? unreadTags(tokens.data) : 0}
            sureOf={(tag) => (tagger ? (sure.get(keyOfTag(tag)) ?? null) : undefined)}
            onChange={change}
          />
          <TagField
            project={project}
            draft={id}
            own={own}
            there={caption.tags}
            onTake={add}
            onBack={() => change(tags.slice(0, -1))}
            field={field}
          />
          <RecentTags tags={recent} there={caption.tags} onTake={(tag) => add([tag])} />
          <Ghosts tagger={tagger} there={caption.tags} onTake={(tag) => add([tag])} />
          {caption.saved && caption.text.includes("\n") && <p className={classes.below}>{belowTags(caption.text)}</p>}
        </>
      )}
      {caption.text.trim() !== "" && tokens.data && <TokenBar tokens={tokens.data} />}
      {tokens.error && <p className="soft small">{tokens.error.message}</p>}
      <div className={classes.foot}>
        <span className="soft small" role="status">
          {t(typed.saving ? "saving" : typed.kept ? "not_saved" : caption.saved?.data.exists ? "saved" : "no_file")}
        </span>
        <span className={classes.gap} />
        <Step words={t("previous")} onClick={onPrevious} icon={<ChevronUp size={18} />} />
        <Step words={t("next_picture")} onClick={onNext} icon={<ChevronDown size={18} />} />
      </div>
    </section>
  );
}

function Step({ words, icon, onClick }: { words: string; icon: React.ReactNode; onClick: () => void }) {
  return (
    <Tooltip label={words}>
      <ActionIcon variant="default" size="var(--hit)" aria-label={words} onClick={onClick}>
        {icon}
      </ActionIcon>
    </Tooltip>
  );
}

/** The lines below the tags, such as a sentence. */
function belowTags(text: string): string {
  return text.trimStart().split("\n").slice(1).join("\n").trim();
}
