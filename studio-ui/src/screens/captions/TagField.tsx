import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData } from "@tanstack/react-query";
import { type KeyboardEvent, type Ref, useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { number } from "../../components/format";
import { SuggestionList } from "../../components/suggestions/SuggestionList";
import { useDraft } from "../../state/draft";
import { type Suggestion, suggestionsFor } from "./suggest";
import classes from "./TagField.module.css";
import { tagsOf } from "./tags";

const STILL_FOR = 100; // milliseconds without a letter before the tag lists are asked

interface Props {
  project: string;
  /** Under which what is typed is kept until it is taken. */
  draft: string;
  /** Tags of the project's captions. */
  own: readonly Suggestion[];
  /** Tags that the caption has. */
  there: readonly string[];
  onTake: (tags: string[]) => void;
  /** Backspace where nothing is typed. */
  onBack: () => void;
  field: Ref<HTMLInputElement>;
}

/** Where tags are typed: Enter takes what is typed, Tab what is suggested. While a word is being composed, as in Japanese, keys are the composition's. */
export function TagField({ project, draft, own, there, onTake, onBack, field }: Props) {
  const { t } = useTranslation("captions");
  const list = useId();
  const [typed, setTyped, forget] = useDraft(`tag:${project}:${draft}`, "");
  const [marked, setMarked] = useState(-1);
  const [opened, setOpened] = useState(false);
  const [asked] = useDebouncedValue(typed.trim(), STILL_FOR);
  const { data: listed } = useGet(
    "/api/projects/{project}/complete",
    { path: { project }, query: { beginning: asked, count: 20 } },
    { enabled: asked !== "", placeholderData: keepPreviousData },
  );
  const suggestions = suggestionsFor(typed, own, listed ?? [], there);
  const shown = opened && suggestions.length > 0;

  function take(tags: string[]): void {
    if (tags.length > 0) onTake(tags);
    forget();
    setMarked(-1);
  }

  /** What a key does here; undefined for those that do what they always do. */
  function actOf(key: string, shift: boolean, held: boolean): (() => void) | undefined {
    const count = suggestions.length;
    const suggested = shown ? suggestions[Math.max(marked, 0)]?.tag : undefined;
    switch (key) {
      case "Enter":
        return () => take(suggested !== undefined && marked >= 0 ? [suggested] : tagsOf(typed));
      case "Tab":
        return suggested !== undefined && !shift ? () => take([suggested]) : undefined;
      case "ArrowDown":
        return shown ? () => setMarked((marked + 1) % count) : () => setOpened(true);
      case "ArrowUp":
        return shown ? () => setMarked(marked <= 0 ? count - 1 : marked - 1) : undefined;
      case "Escape":
        return shown ? () => setOpened(false) : undefined;
      case "Backspace":
        return typed === "" && !held ? onBack : undefined; // a held key that has taken what was typed stops there
      default:
        return undefined;
    }
  }

  function pressed(event: KeyboardEvent<HTMLInputElement>): void {
    if (event.nativeEvent.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = actOf(event.key, event.shiftKey, event.repeat);
    if (!act) return;
    event.preventDefault();
    if (event.key === "Escape") event.stopPropagation();
    act();
  }

  return (
    <div className={classes.field}>
      <input
        ref={field}
        className={classes.input}
        role="combobox"
        aria-label={t("add_tag")}
        aria-expanded={shown}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={shown && marked >= 0 ? `${list}${marked}` : undefined}
        placeholder={t("add_tag_hint")}
        autoComplete="off"
        spellCheck={false}
        value={typed}
        onChange={(event) => {
          setTyped(event.target.value);
          setMarked(-1);
          setOpened(true);
        }}
        onKeyDown={pressed}
        onBlur={() => setOpened(false)}
      />
      <SuggestionList
        id={list}
        label={t("suggestions")}
        shown={shown}
        marked={marked}
        suggestions={suggestions.map((one) => ({
          key: one.tag,
          words: (
            <>
              {one.tag}
              {one.alias && <span className="soft"> ← {one.alias}</span>}
            </>
          ),
          hint: number(one.count),
        }))}
        onTake={(at) => take(suggestions.slice(at, at + 1).map((one) => one.tag))}
      />
    </div>
  );
}
