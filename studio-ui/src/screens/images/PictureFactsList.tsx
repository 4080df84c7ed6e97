import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { ago, bytes } from "../../components/format";
import classes from "./Inspector.module.css";

/** What is known of a picture: size, use, caption, and what was done to it. */
export function PictureFactsList({ facts }: { facts: Shape<"PictureFacts"> }) {
  const { t } = useTranslation("images");
  return (
    <dl className={classes.facts}>
      {facts.width !== null && facts.height !== null && (
        <>
          <dt>{t("size")}</dt>
          <dd>
            {facts.width} × {facts.height}, {bytes(facts.bytes)}
          </dd>
        </>
      )}
      <dt>{t("used")}</dt>
      <dd>
        {facts.held_out
          ? t("used_held_out")
          : facts.regularisation
            ? t("regularisation")
            : t("used_concept", { concept: facts.concept ?? t("loose"), repeats: facts.repeats })}
      </dd>
      <dt>{t("caption")}</dt>
      <dd>{facts.text || <span className="soft">{t("no_caption")}</span>}</dd>
      {facts.history.length > 0 && (
        <>
          <dt>{t("history")}</dt>
          <dd>
            {facts.history.map((step, number) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: steps have no other name, and only grow
              <div key={number}>
                {step.words} {step.at && <span className="soft">{ago(step.at)}</span>}
              </div>
            ))}
          </dd>
        </>
      )}
    </dl>
  );
}
