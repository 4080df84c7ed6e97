import { ActionIcon, Tooltip } from "@mantine/core";
import { Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import { bytes } from "../../components/format";
import { Sentence } from "../../components/Sentence";
import { say, sayProblem } from "../../components/say";
import classes from "./Models.module.css";

/** A model: the name that tells it from others, what it is, where it is, and what keeps it from being used. */
export function ModelCard({ model, onRemoved }: { model: Shape<"ModelView">; onRemoved: () => void }) {
  const { t } = useTranslation("settings");
  const title = model.name;
  const facts = [
    model.title !== title && model.title,
    model.bytes > 0 && bytes(model.bytes),
    model.licence && t("licence", { licence: model.licence }),
  ].filter(Boolean);

  async function remove() {
    try {
      await ask(api.DELETE("/api/models", { params: { query: { kind: model.kind, source: model.source } } }));
      say(t("removed", { title }));
    } catch (error) {
      sayProblem(error);
    }
    onRemoved();
  }

  return (
    <article className={classes.card}>
      <div className={classes.head}>
        <strong className={classes.source}>{title}</strong>
        <Tooltip label={t("remove_is")}>
          <ActionIcon variant="subtle" color="gray" size="var(--hit)" aria-label={t("remove", { title })} onClick={remove}>
            <Trash2 size={16} aria-hidden />
          </ActionIcon>
        </Tooltip>
      </div>
      {facts.length > 0 && <p className="small">{facts.join(" · ")}</p>}
      {title !== model.source && <p className={`${classes.source} soft small`}>{model.source}</p>}
      {model.missing.length > 0 && <p className={classes.warning}>{t("missing", { parts: model.missing.join(", ") })}</p>}
      {model.problem && (
        <p className={classes.problem}>
          <Sentence>{model.problem}</Sentence>
        </p>
      )}
    </article>
  );
}
