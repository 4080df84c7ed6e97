import { ActionIcon, SegmentedControl, Select, Switch, TextInput } from "@mantine/core";
import { X } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Field } from "../../../components/fields/schema";
import classes from "./Vary.module.css";
import { nameOfRow, type Row } from "./vary";

interface Props {
  row: Row;
  /** Of the first of its settings. */
  field: Field | undefined;
  /** Settings that do not vary yet. */
  others: string[];
  problem?: string;
  onChange: (row: Row) => void;
  onRemove: () => void;
}

/** A setting that varies: its values, or a range of numbers; or several settings that vary together. */
export function VaryRow({ row, field, others, problem, onChange, onRemove }: Props) {
  const { t } = useTranslation("sweeps");
  const name = nameOfRow(row);
  const alone = row.names.length === 1;
  const isNumber = alone && field?.kind === "number";
  const set = (changed: Partial<Row>) => onChange({ ...row, ...changed });
  const part = (key: "from" | "to" | "count" | "step") => (
    <TextInput
      label={<code>{key}</code>}
      aria-label={`${name}: ${key}`}
      inputMode="decimal"
      value={row[key]}
      onChange={(event) => set({ [key]: event.currentTarget.value })}
    />
  );
  return (
    <fieldset className={classes.row}>
      <legend>
        {alone && field?.label} <code>{name}</code>
      </legend>
      <ActionIcon
        className={classes.remove}
        variant="subtle"
        size="var(--hit)"
        aria-label={t("remove", { name })}
        title={t("remove", { name })}
        onClick={onRemove}
      >
        <X size={16} />
      </ActionIcon>
      {alone && field?.description && <p className="soft small">{field.description}</p>}
      {isNumber && (
        <SegmentedControl
          className={classes.narrow}
          size="xs"
          aria-label={t("form", { name })}
          value={row.form}
          onChange={(form) => set({ form: form as Row["form"] })}
          data={[
            { value: "values", label: t("values") },
            { value: "range", label: t("range") },
          ]}
        />
      )}
      {row.form === "range" && isNumber ? (
        <>
          <div className={classes.range}>
            {part("from")}
            {part("to")}
            {part("count")}
            {part("step")}
            <Switch label={t("log_scale")} checked={row.log} onChange={(event) => set({ log: event.currentTarget.checked })} />
          </div>
          <p className="soft small">{t("range_says")}</p>
          {problem && <p className={classes.problem}>{problem}</p>}
        </>
      ) : (
        <TextInput
          aria-label={t("values_of", { name })}
          description={
            field && alone && field.choices.length > 0
              ? t("choices", { choices: field.choices.join(", ") })
              : t(alone ? "values_say" : "together_say")
          }
          placeholder={alone ? "8, 16, 32" : "[8, 4], [16, 8]"}
          value={row.values}
          error={problem}
          onChange={(event) => set({ values: event.currentTarget.value })}
        />
      )}
      {row.form === "values" && (
        <Select
          className={classes.narrow}
          size="xs"
          aria-label={t("together", { name })}
          placeholder={t("together_with")}
          data={others}
          value={null}
          searchable
          limit={40}
          onChange={(other) => other && set({ names: [...row.names, other], values: "" })}
        />
      )}
    </fieldset>
  );
}
