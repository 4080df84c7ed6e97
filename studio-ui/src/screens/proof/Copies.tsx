import { useTranslation } from "react-i18next";
import { number } from "../../components/format";
import { StudioImage } from "../../components/image/StudioImage";
import classes from "./Proof.module.css";
import type { ProofProps } from "./RunProof";

const SHOWN = 8;

/** Training images beside what their own captions give: those that come back are held by heart. */
export function Copies({ proof }: ProofProps) {
  const { t } = useTranslation("proof");
  const held = proof.copies.filter((copy) => copy.by_heart);
  return (
    <>
      <p>
        {t("held", { count: held.length, of: proof.copies.length })}
        {!proof.held_out && ` ${t("held_unsure")}`}
      </p>
      <ul className={classes.copies}>
        {proof.copies.slice(0, SHOWN).map((copy) => (
          <li key={copy.image}>
            <figure className={classes.copy} data-held={copy.by_heart || undefined}>
              <div>
                {copy.original ? (
                  <StudioImage src={copy.original} alt={t("original_of", { image: copy.image })} loading="lazy" />
                ) : (
                  <span>{t("no_original")}</span>
                )}
                {copy.drawn ? <StudioImage src={copy.drawn} alt={t("drawn_of", { image: copy.image })} loading="lazy" /> : <span />}
              </div>
              <figcaption>
                {copy.image}
                <span className="soft"> {copy.by_heart ? t("by_heart") : t("nearer", { nats: number(copy.nearer, 2) })}</span>
              </figcaption>
            </figure>
          </li>
        ))}
      </ul>
    </>
  );
}
