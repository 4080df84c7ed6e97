import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { bytes, number } from "../../components/format";
import { Loaded } from "../../components/Loaded";
import classes from "./Models.module.css";

/** The tag lists that tags are completed from, with what is in each. */
export function TagLists() {
  const { t } = useTranslation("settings");
  const lists = useGet("/api/vocabularies");
  return (
    <Loaded of={lists} height={80}>
      {(all) =>
        all.length === 0 ? null : (
          <section aria-labelledby="tag-lists">
            <h2 id="tag-lists" className={classes.subtitle}>
              {t("tag_lists")}
            </h2>
            <ul className={classes.list}>
              {all.map((list) => (
                <li key={list.file} className={classes.card}>
                  <strong className={classes.source}>{list.file}</strong>
                  {list.problem ? (
                    <p className={classes.problem}>{list.problem}</p>
                  ) : (
                    <p className="small">
                      {t("tags_in", { count: list.tags, shown: number(list.tags) })} ·{" "}
                      {t("aliases_in", { count: list.aliases, shown: number(list.aliases) })} · {bytes(list.bytes)}
                    </p>
                  )}
                </li>
              ))}
            </ul>
          </section>
        )
      }
    </Loaded>
  );
}
