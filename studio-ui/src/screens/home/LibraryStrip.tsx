import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useGet } from "../../api/queries";
import classes from "./Home.module.css";

const SHOWN = 8;

/** The newest LoRA files of the library. Nothing is shown where there are none. */
export function LibraryStrip() {
  const { t } = useTranslation("home");
  const { data } = useGet("/api/library", { query: { count: SHOWN } });
  if (!data || data.items.length === 0) return null;
  return (
    <section aria-labelledby="library">
      <div className={classes.head}>
        <h2 id="library">{t("frame:library")}</h2>
        <Link href="/library">{t("all_files")}</Link>
      </div>
      <ul className={classes.strip}>
        {data.items.map((lora) => (
          <li key={lora.id}>
            <Link href={`/library/${lora.id}`} className={classes.lora}>
              {lora.preview ? (
                <img src={lora.preview} alt="" loading="lazy" />
              ) : (
                <span className={classes.noPreview}>{lora.name.slice(0, 2)}</span>
              )}
              <span className={classes.name}>{lora.name}</span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
