import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { BeforeAfter } from "../../components/BeforeAfter";
import { StudioImage } from "../../components/image/StudioImage";
import { largePicture } from "./largePicture";
import classes from "./PictureView.module.css";

/** A picture as large as its place, with the one that it was made of under a slider. */
export function PictureView({ facts }: { facts: Shape<"PictureFacts"> }) {
  const { t } = useTranslation("images");
  const large = largePicture(facts);
  if (!large) return <p className={classes.unreadable}>{t("unreadable")}</p>;
  if (facts.original_url) return <BeforeAfter before={facts.original_url} after={large} />;
  return <StudioImage className={classes.picture} src={large} alt={facts.text || facts.id} draggable={false} />;
}
