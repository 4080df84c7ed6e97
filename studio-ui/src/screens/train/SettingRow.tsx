import { ActionIcon, Tooltip } from "@mantine/core";
import { Undo2 } from "lucide-react";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { FieldInput } from "../../components/fields/FieldInput";
import type { Field } from "../../components/fields/schema";
import { written } from "../../components/fields/typed";
import { HelpLink } from "../../components/HelpLink";
import classes from "./SettingRow.module.css";
import type { Json } from "./tree";

interface Props {
  field: Field;
  value: Json | undefined;
  /** What the recipe has. */
  usual: Json | undefined;
  changed: boolean;
  /** Why the recipe has that, and who says so. */
  reason?: string;
  source?: string;
  problem?: string;
  /** Why it does nothing here. */
  idle?: string;
  onChange: (name: string, value: Json) => void;
  onReset: (name: string) => void;
}

/** One setting: its words and its real name, its value, whether it was changed, and why the recipe has what it has. */
export const SettingRow = memo(function SettingRow(props: Props) {
  const { field, value, usual, changed, reason, source, problem, idle, onChange, onReset } = props;
  const { t } = useTranslation("train");
  const recipe = usual === undefined ? t("fields:not_given") : written(usual, field) || "–";
  return (
    <div className={classes.row} data-changed={changed || undefined} data-idle={idle !== undefined || undefined}>
      <div className={classes.words}>
        <label htmlFor={field.name} className={classes.label}>
          {changed && <span className={classes.dot} title={t("changed")} />}
          {field.label} <code>{field.name}</code>
        </label>
        {"\u00a0" /* the sign stays on the line of the name */}
        <HelpLink kind="settings" name={field.name} sign />
        {field.sdScripts.length > 0 && (
          <span className={classes.theirs}>
            {t("in_sd_scripts")} <code>{field.sdScripts.join(", ")}</code>
          </span>
        )}
        <p className="soft small">{field.description}</p>
        {idle && idle !== problem && <p className={classes.idle}>{idle}</p>}
        {reason && (
          <p className={classes.reason}>
            {t("because", { value: recipe, reason })} <span className={classes.source}>{source}</span>
          </p>
        )}
      </div>
      <div className={classes.value}>
        <FieldInput field={field} value={value} problem={problem} onChange={onChange} />
        {changed && (
          <Tooltip label={t("back_to_recipe", { value: recipe })}>
            <ActionIcon
              variant="subtle"
              size="var(--hit)"
              aria-label={t("back_to_recipe", { value: recipe })}
              onClick={() => onReset(field.name)}
            >
              <Undo2 size={16} />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
    </div>
  );
});
