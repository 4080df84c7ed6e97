import { Lock } from "lucide-react";
import { type DragEvent, type KeyboardEvent, useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { percent } from "../../components/format";
import { TagPill } from "./TagPill";
import classes from "./TagPills.module.css";
import { moved, tagsOf } from "./tags";

interface Props {
  /** The triggers in front, which stay there. */
  locked: readonly string[];
  tags: readonly string[];
  /** How many of the last ones the base does not read. */
  unread: number;
  /** How sure the tagger is of a tag, 0-1; null where it did not find it, undefined where no tagger has seen the picture. */
  sureOf: (tag: string) => number | null | undefined;
  onChange: (tags: string[]) => void;
}

/** A caption's tags in their order: moved with the mouse or Alt+arrows, removed, renamed in place. One of them can be reached by Tab, the others by arrows. */
export function TagPills({ locked, tags, unread, sureOf, onChange }: Props) {
  const { t } = useTranslation("captions");
  const list = useRef<HTMLUListElement>(null);
  const [place, setPlace] = useState(0);
  const [renamed, setRenamed] = useState(-1);
  const [dragged, setDragged] = useState(-1);
  const [over, setOver] = useState(-1);
  const follow = useRef(false); // the focus goes where the keyboard has moved to
  const here = Math.min(place, tags.length - 1);

  useLayoutEffect(() => {
    if (follow.current) list.current?.querySelector<HTMLElement>('[data-pill][tabindex="0"]')?.focus();
    follow.current = false;
  });

  function go(to: number): void {
    follow.current = true;
    setPlace(Math.min(Math.max(to, 0), tags.length - 1));
  }

  function remove(at: number): void {
    go(at);
    onChange(tags.filter((_, index) => index !== at));
  }

  function move(from: number, to: number): void {
    if (to < 0 || to >= tags.length || from === to) return;
    go(to);
    onChange(moved(tags, from, to));
  }

  function rename(at: number, typed: string): void {
    go(at);
    setRenamed(-1);
    const names = tagsOf(typed);
    if (typed !== tags[at]) onChange([...tags.slice(0, at), ...names, ...tags.slice(at + 1)]);
  }

  function actOf({ key, altKey, ctrlKey, metaKey, repeat }: KeyboardEvent, at: number): (() => void) | undefined {
    if (ctrlKey || metaKey) return undefined;
    if (repeat && (key === "Delete" || key === "Backspace")) return () => undefined; // a held key takes one tag away
    switch (key) {
      case "ArrowLeft":
        return () => (altKey ? move(at, at - 1) : go(at - 1));
      case "ArrowRight":
        return () => (altKey ? move(at, at + 1) : go(at + 1));
      case "Home":
        return () => go(0);
      case "End":
        return () => go(tags.length - 1);
      case "Delete":
      case "Backspace":
        return () => remove(at);
      case "F2":
      case "Enter":
        return () => setRenamed(at);
      default:
        return undefined;
    }
  }

  function pressed(event: KeyboardEvent, at: number): void {
    const act = actOf(event, at);
    if (!act) return;
    event.preventDefault();
    act();
  }

  const dragging = {
    onDragOver: (event: DragEvent, at: number) => {
      if (dragged < 0) return;
      event.preventDefault();
      setOver(at);
    },
    onDrop: (event: DragEvent, at: number) => {
      event.preventDefault();
      move(dragged, at);
    },
    onDragEnd: () => {
      setDragged(-1);
      setOver(-1);
    },
  };

  return (
    <ul ref={list} className={classes.pills} aria-label={t("tags")}>
      {locked.map((tag) => (
        <li key={tag} className={classes.pill} data-locked title={t("trigger_locked")}>
          <Lock size={12} aria-hidden />
          <span className={classes.words}>{tag}</span>
        </li>
      ))}
      {tags.map((tag, at) => (
        <TagPill
          key={`${tag} ${tags.slice(0, at).filter((other) => other === tag).length}`}
          tag={tag}
          {...sourceOf(sureOf(tag))}
          unread={at >= tags.length - unread}
          reached={at === here}
          renamed={at === renamed}
          side={over !== at || dragged === at ? undefined : dragged < at ? "after" : "before"}
          onFocus={() => setPlace(at)}
          onKeyDown={(event) => pressed(event, at)}
          onRemove={() => remove(at)}
          onRename={() => setRenamed(at)}
          onRenamed={(typed) => rename(at, typed)}
          onDragStart={() => setDragged(at)}
          onDragOver={(event) => dragging.onDragOver(event, at)}
          onDrop={(event) => dragging.onDrop(event, at)}
          onDragEnd={dragging.onDragEnd}
        />
      ))}
    </ul>
  );

  /** Who wrote a tag, as far as that is known. */
  function sourceOf(sure: number | null | undefined): { source?: string; sure?: string } {
    if (sure === undefined) return {};
    return sure === null ? { source: t("by_hand") } : { source: t("by_tagger", { sure: percent(sure) }), sure: percent(sure) };
  }
}
