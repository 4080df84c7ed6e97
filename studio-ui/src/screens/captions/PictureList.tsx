import { Button } from "@mantine/core";
import { SearchX } from "lucide-react";
import { useCallback } from "react";
import { useTranslation } from "react-i18next";
import { EmptyState } from "../../components/EmptyState";
import { Gallery } from "../../components/gallery/Gallery";
import { pictureLook } from "../../components/gallery/pictureLook";
import type { Picture, usePictures } from "../../components/gallery/usePictures";
import type { Selecting } from "../../components/gallery/useSelection";
import classes from "./Captions.module.css";
import { splitTriggers } from "./tags";

interface Props {
  pictures: ReturnType<typeof usePictures>;
  selecting: Selecting;
  triggers: readonly string[];
  onUnfilter: () => void;
}

/** The pictures, each with the first words of its caption behind the trigger. */
export function PictureList({ pictures, selecting, triggers, onUnfilter }: Props) {
  const { t } = useTranslation("captions");
  const key = triggers.join("\n");
  const lookOf = useCallback(
    (picture: Picture) => {
      const words = splitTriggers(picture.tags, key.split("\n"))[1].join(", ");
      return {
        ...pictureLook(picture),
        strip: undefined,
        name: `${picture.id}: ${words}`,
        words: words || t(picture.caption === null ? "unreadable" : picture.tags.length > 0 ? "trigger_alone" : "no_caption"),
      };
    },
    [key, t],
  );
  return (
    <div className={classes.list}>
      <p className={`${classes.count} soft small`}>
        {pictures.list.data && t("pictures", { count: pictures.ids.length })}
        {selecting.selected.length > 1 && ` · ${t("selected", { count: selecting.selected.length })}`}
      </p>
      <div className={classes.rows}>
        <Gallery
          ids={pictures.ids}
          itemOf={pictures.pictureOf}
          lookOf={lookOf}
          selecting={selecting}
          label={t("pictures_of_project")}
          size={160}
          layout="list"
          onView={pictures.onView}
        >
          {pictures.list.data && !pictures.list.error && (
            <EmptyState
              icon={<SearchX size={32} />}
              action={
                <Button variant="default" onClick={onUnfilter}>
                  {t("unfilter")}
                </Button>
              }
            >
              {t("nothing_fits")}
            </EmptyState>
          )}
        </Gallery>
      </div>
    </div>
  );
}
