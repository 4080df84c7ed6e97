import { useTranslation } from "react-i18next";
import type { Picture as PictureItem } from "../../components/gallery/usePictures";
import { StudioImage } from "../../components/image/StudioImage";
import classes from "./Picture.module.css";

/** The picture whose caption is written, as large as there is room. */
export function Picture({ picture }: { picture: PictureItem }) {
  const { t } = useTranslation("captions");
  return (
    <figure className={classes.picture}>
      {picture.thumbnail === null ? (
        <p className="soft">{t("cannot_be_opened")}</p>
      ) : (
        <StudioImage src={picture.url} alt={picture.id} width={picture.width ?? undefined} height={picture.height ?? undefined} />
      )}
      <figcaption className="soft small">
        {picture.width} × {picture.height}
        {picture.held_out && ` · ${t("held_out")}`}
        {picture.regularisation && ` · ${t("regularisation")}`}
      </figcaption>
    </figure>
  );
}
