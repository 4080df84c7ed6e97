import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useGet } from "../../api/queries";
import { Letters } from "../../components/gallery/Letters";
import { StudioImage } from "../../components/image/StudioImage";
import { namesOf } from "../library/names";
import { useFreshLibrary } from "../library/useLoras";
import classes from "./Home.module.css";

const SHOWN = 8;

/** The newest LoRAs of the library, one file of each training. Nothing is shown where there are none. */
export function LibraryStrip() {
  const { t } = useTranslation("home");
  const { data } = useGet("/api/library", { query: { count: SHOWN, newest: true } });
  useFreshLibrary();
  const names = useMemo(() => namesOf(data?.items ?? []), [data]);
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
                <StudioImage src={lora.preview} alt="" loading="lazy" otherwise={<Letters of={lora.name} />} />
              ) : (
                <Letters of={lora.name} />
              )}
              <span className={classes.name}>{names.get(lora.id)}</span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
