import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { number } from "../../components/format";
import tables from "../../components/Table.module.css";
import { useTold } from "../../words/told";
import classes from "./Sweep.module.css";
import { withError } from "./withError";

/** What each setting did to the score, with margins; or why that cannot be said. */
export function Effects({ sweep }: { sweep: Shape<"SweepFacts"> }) {
  const { t } = useTranslation("sweeps");
  const { told } = useTold();
  if (sweep.effects.length === 0) return sweep.why_not ? <p className="soft">{told(sweep.why_not, sweep.why_not_said)}</p> : null;
  const rows = sweep.effects.flatMap((effect) => effect.others.map((other) => ({ effect, other })));
  const alone = sweep.effects.some((effect) => !effect.repeated);
  return (
    <section aria-labelledby="effects">
      <h2 id="effects">{t("effects")}</h2>
      {sweep.effects.map((effect) => (
        <p key={effect.setting}>{told(effect.sentence, effect.said)}</p>
      ))}
      {rows.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
        <section className={classes.scroll} tabIndex={0} aria-label={t("effects")}>
          <table className={`${tables.table} ${classes.table}`} aria-label={t("effects")}>
            <thead>
              <tr>
                <th scope="col">{t("runs:setting")}</th>
                <th scope="col">{t("best")}</th>
                <th scope="col">{t("beside")}</th>
                <th scope="col" data-number>
                  {t("trials")}
                </th>
                <th scope="col" data-number>
                  {t("less_by")}
                </th>
                <th scope="col">{t("says")}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(({ effect, other }) => (
                <tr key={`${effect.setting} ${other.value}`}>
                  <th scope="row">
                    <code>{effect.setting}</code>
                  </th>
                  <td>{effect.best}</td>
                  <td>{other.value}</td>
                  <td data-number>{number(other.trials)}</td>
                  <td data-number>{withError(other.below)}</td>
                  <td>{t(other.differs ? "worse" : "cannot_tell")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      <p className="soft small">
        {t("score_says")} {alone && t("alone")}
      </p>
    </section>
  );
}
