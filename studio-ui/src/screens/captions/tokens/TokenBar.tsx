import { useTranslation } from "react-i18next";
import { number } from "../../../components/format";
import classes from "./TokenBar.module.css";
import { chunksOf, enough, type Tokens } from "./tokens";

/** How many tokens a caption takes, chunk by chunk, and where the base stops reading it. */
export function TokenBar({ tokens }: { tokens: Tokens }) {
  const { t } = useTranslation("captions");
  const [usual] = tokens.limits;
  if (!usual) return null;
  const longer = enough(tokens);
  return (
    <div className={classes.tokens}>
      <div className={classes.line}>
        <div className={classes.chunks} aria-hidden>
          {chunksOf(tokens).map(({ full, read }, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a chunk is its place
            <i key={at} data-unread={!read || undefined} style={{ "--full": `${100 * full}%` } as React.CSSProperties} />
          ))}
        </div>
        <span className={classes.number} data-over={usual.unread !== "" || undefined}>
          {t("tokens", { count: tokens.tokens, shown: number(tokens.tokens), most: number(usual.tokens) })}
        </span>
      </div>
      {usual.unread && (
        <p className="small">
          {t("unread", { most: number(usual.tokens), words: usual.unread })} {longer && t("read_with", { most: longer })}
        </p>
      )}
    </div>
  );
}
