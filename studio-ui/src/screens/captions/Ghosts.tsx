import { useTranslation } from "react-i18next";
import { percent } from "../../components/format";
import classes from "./TagPills.module.css";
import { keyOfTag, withSpaces } from "./tags";
import type { TaggersTag } from "./useTagger";

const MOST = 12;

/** Tags that the tagger found and the caption lacks, the surest first; a click takes one. */
export function Ghosts(props: { tagger: readonly TaggersTag[] | null; there: readonly string[]; onTake: (tag: string) => void }) {
  const { t } = useTranslation("captions");
  const there = new Set(props.there.map(keyOfTag));
  const lacking = (props.tagger ?? []).filter((found) => !there.has(keyOfTag(found.tag))).slice(0, MOST);
  if (lacking.length === 0) return null;
  return (
    <div>
      <h3 className="soft small">{t("nearly_chosen")}</h3>
      <div className={classes.ghosts}>
        {lacking.map((found) => (
          <button key={found.tag} type="button" className={classes.ghost} onClick={() => props.onTake(withSpaces(found.tag))}>
            {withSpaces(found.tag)} <span className="small">{percent(found.probability)}</span>
          </button>
        ))}
      </div>
    </div>
  );
}
