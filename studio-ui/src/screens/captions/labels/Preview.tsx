import { useTranslation } from "react-i18next";
import type { Shape } from "../../../api/client";
import { StudioImage } from "../../../components/image/StudioImage";
import { Difference } from "../edits/DryRun";
import classes from "./LabelDialog.module.css";

/** A few captions before and after, beside their pictures. */
export function Preview({ project, previews }: { project: string; previews: Shape<"LabelPreviews"> }) {
  const { t } = useTranslation("captions");
  if (previews.shown.length === 0) return <p className="soft">{t("none_tagged_here")}</p>;
  const stays = previews.shown.every((one) => one.before.length > 0 && one.before.join() === one.after.join());
  return (
    <ul className={classes.shown} aria-label={t("before_and_after")}>
      {stays && <li className={classes.note}>{t("stays_as_it_is")}</li>}
      {previews.shown.map((one) => (
        <li key={one.caption}>
          <StudioImage src={addressOf(project, one.picture)} alt="" loading="lazy" decoding="async" />
          <div>
            <div className="soft small">{one.picture}</div>
            <Difference before={one.before.join(", ")} after={one.after.join(", ")} />
            {one.nearly_chosen.length > 0 && (
              <p className="soft small">
                {t("nearly_chosen")}:{" "}
                {one.nearly_chosen
                  .slice(0, 6)
                  .map((tag) => tag.tag)
                  .join(", ")}
              </p>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}

function addressOf(project: string, picture: string): string {
  return `/files/projects/${encodeURIComponent(project)}/pictures/${picture.split("/").map(encodeURIComponent).join("/")}`;
}
