import { X } from "lucide-react";
import type { DragEvent, KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import classes from "./TagPills.module.css";

interface Props {
  tag: string;
  /** Who wrote it, in words. */
  source?: string;
  /** How sure the tagger is, shown in the pill. */
  sure?: string;
  /** Whether the base stops reading before its end. */
  unread: boolean;
  /** Whether Tab reaches it. */
  reached: boolean;
  /** Whether its name is being typed. */
  renamed: boolean;
  /** Where a dragged pill would go. */
  side?: "before" | "after";
  onFocus: () => void;
  onKeyDown: (event: KeyboardEvent) => void;
  onRemove: () => void;
  onRename: () => void;
  onRenamed: (typed: string) => void;
  onDragStart: () => void;
  onDragOver: (event: DragEvent) => void;
  onDrop: (event: DragEvent) => void;
  onDragEnd: () => void;
}

/** One tag: its name, how sure the tagger is of it, and a button that removes it. */
export function TagPill(props: Props) {
  const { tag, source, sure, unread, reached, renamed, side, onRemove, onRename, onRenamed, onFocus, onKeyDown, ...drag } = props;
  const { t } = useTranslation("captions");
  const about = [source, unread && t("not_read")].filter(Boolean).join(", ");
  if (renamed) {
    return (
      <li className={classes.pill}>
        <NameField tag={tag} onRenamed={onRenamed} />
      </li>
    );
  }
  return (
    <li className={classes.pill} draggable data-side={side} data-unread={unread || undefined} title={about || undefined} {...drag}>
      <button
        type="button"
        className={classes.words}
        data-pill
        tabIndex={reached ? 0 : -1}
        onFocus={onFocus}
        onKeyDown={onKeyDown}
        onDoubleClick={onRename}
      >
        {tag}
        {about && <span className="visually-hidden">, {about}</span>}
      </button>
      {sure && (
        <span className={classes.sure} aria-hidden>
          {sure}
        </span>
      )}
      <button type="button" className={classes.remove} tabIndex={-1} aria-label={t("remove_tag", { tag })} onClick={onRemove}>
        <X size={14} aria-hidden />
      </button>
    </li>
  );
}

/** The tag's name while it is typed: Enter or leaving takes it, Escape leaves it as it was. */
function NameField({ tag, onRenamed }: { tag: string; onRenamed: (typed: string) => void }) {
  const { t } = useTranslation("captions");
  return (
    <input
      className={classes.name}
      aria-label={t("rename_tag", { tag })}
      defaultValue={tag}
      size={Math.max(tag.length, 6)}
      // biome-ignore lint/a11y/noAutofocus: it takes the place of the pill that had the focus
      autoFocus
      onFocus={(event) => event.target.select()}
      onBlur={(event) => onRenamed(event.target.value)}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === "Enter") event.currentTarget.blur();
        if (event.key === "Escape") {
          event.stopPropagation();
          onRenamed(tag);
        }
      }}
    />
  );
}
