import { Kbd } from "@mantine/core";
import { useTranslation } from "react-i18next";
import classes from "./TagPills.module.css";
import { keyOfTag } from "./tags";

/** The tags that were added last, the newest first: a click, or Alt and the number, adds one here. */
export function RecentTags({ tags, there, onTake }: { tags: readonly string[]; there: readonly string[]; onTake: (tag: string) => void }) {
  const { t } = useTranslation("captions");
  const known = new Set(there.map(keyOfTag));
  if (tags.length === 0) return null;
  return (
    <div>
      <h3 className="soft small">{t("recent")}</h3>
      <div className={classes.ghosts}>
        {tags.map((tag, at) => (
          <button key={tag} type="button" className={classes.ghost} disabled={known.has(keyOfTag(tag))} onClick={() => onTake(tag)}>
            <Kbd size="xs">{at + 1}</Kbd> {tag}
          </button>
        ))}
      </div>
    </div>
  );
}
