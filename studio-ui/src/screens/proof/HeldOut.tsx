import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { useGet } from "../../api/queries";
import { Curve } from "../../components/curve/Curve";
import { perStep } from "../../components/curve/series";
import { imagesAStep } from "../run/facts";
import { heldOutLines } from "../run/lines";

/** The change of the loss on held-out and on trained pictures over the epochs. Nothing where nothing was held out. */
export function HeldOut({ run }: { run: Shape<"RunFacts"> }) {
  const { t } = useTranslation("runs");
  const { data } = useGet("/api/runs/{run}/curve", { path: { run: run.id }, query: { name: "validation/" } });
  const lines = useMemo(() => heldOutLines(data?.series ?? {}, t), [data, t]);
  if (lines.length === 0) return null;
  return (
    <section aria-labelledby="held-out">
      <h2 id="held-out">{t("held_out_title")}</h2>
      <p className="soft small">{t("held_out_words")}</p>
      <Curve
        title={t("held_out_title")}
        lines={lines}
        scale={perStep("epochs", { steps: run.steps, epochs: run.epochs, imagesAStep: imagesAStep(run.settings) })}
        xLabel={t("x_epochs")}
        height={220}
      />
    </section>
  );
}
