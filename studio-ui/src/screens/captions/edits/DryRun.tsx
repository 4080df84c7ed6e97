import { useTranslation } from "react-i18next";
import type { Shape } from "../../../api/client";
import classes from "./DryRun.module.css";
import { differenceOf } from "./difference";

/** What an edit would do: how many captions it changes, and the first of them with what goes and what comes. */
export function DryRun({ plan }: { plan: Shape<"EditPlan"> }) {
  const { t } = useTranslation("captions");
  return (
    <div>
      <p className={classes.count}>
        {plan.changed === 0
          ? t("changes_nothing", { count: plan.considered })
          : t("would_change", { count: plan.changed, of: plan.considered })}
      </p>
      {plan.shown.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by keyboard
        <section className={classes.shown} tabIndex={0} aria-label={t("before_and_after")}>
          {plan.shown.map((caption) => (
            <div key={caption.id} className={classes.caption}>
              <div className="soft small">{caption.id}</div>
              <Difference before={caption.before} after={caption.after} />
            </div>
          ))}
          {plan.changed > plan.shown.length && <p className="soft small">{t("and_more", { count: plan.changed - plan.shown.length })}</p>}
        </section>
      )}
    </div>
  );
}

/** A caption with what goes struck out and what comes underlined. */
export function Difference({ before, after }: { before: string; after: string }) {
  return (
    <p className={classes.line}>
      {differenceOf(before, after).map((part, at) =>
        part.kind === "stays" ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: the parts have no name of their own
          <span key={at}>{part.text}</span>
        ) : part.kind === "goes" ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: as above
          <del key={at}>{part.text}</del>
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: as above
          <ins key={at}>{part.text}</ins>
        ),
      )}
    </p>
  );
}
