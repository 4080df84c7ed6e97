import { Autocomplete, NativeSelect, Switch, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { BaseField } from "../bases/BaseField";
import type { Json } from "./json";
import type { Field } from "./schema";
import { read, written } from "./typed";

const MOST_LINES = 8;

interface Props {
  field: Field;
  value: Json | undefined;
  problem?: string;
  onChange: (name: string, value: Json) => void;
}

/** Where a value is typed, chosen or switched. */
export function FieldInput(props: Props) {
  if (props.field.ofBase) return <OfBase {...props} />;
  switch (props.field.kind) {
    case "switch":
      return props.field.optional ? <OptionalSwitch {...props} /> : <PlainSwitch {...props} />;
    case "choice":
      return <Choice {...props} />;
    default:
      return <Typed {...props} />;
  }
}

function OfBase({ field, value, problem, onChange }: Props) {
  return (
    <BaseField
      id={field.name}
      value={typeof value === "string" ? value : ""}
      error={problem}
      onChange={(source) => onChange(field.name, source === "" && field.optional ? null : source)}
    />
  );
}

function PlainSwitch({ field, value, problem, onChange }: Props) {
  const on = (value ?? field.fallback) === true;
  return <Switch id={field.name} checked={on} error={problem} onChange={(event) => onChange(field.name, event.currentTarget.checked)} />;
}

const SWITCHED: Record<string, Json> = { "": null, on: true, off: false };

function OptionalSwitch({ field, value, problem, onChange }: Props) {
  const { t } = useTranslation("fields");
  const shown = value === true ? "on" : value === false ? "off" : "";
  return (
    <NativeSelect
      id={field.name}
      value={shown}
      error={problem}
      onChange={(event) => onChange(field.name, SWITCHED[event.currentTarget.value] ?? null)}
      data={[
        { value: "", label: t("not_given") },
        { value: "on", label: t("on") },
        { value: "off", label: t("off") },
      ]}
    />
  );
}

function Choice({ field, value, problem, onChange }: Props) {
  const { t } = useTranslation("fields");
  const shown = String(value ?? (field.optional ? "" : (field.fallback ?? "")));
  return (
    <NativeSelect
      id={field.name}
      value={shown}
      error={problem}
      onChange={(event) => onChange(field.name, event.currentTarget.value || null)}
      data={[...(field.optional ? [{ value: "", label: t("not_given") }] : []), ...field.choices]}
    />
  );
}

/** Text as it is typed; what it means is read of it, so that `1e-` may become `1e-4`. */
function Typed({ field, value, problem, onChange }: Props) {
  const [typing, type] = useState<string>();
  const shown = {
    id: field.name,
    value: typing ?? written(value, field),
    placeholder: written(field.fallback, field),
    title: written(value, field), // a path is longer than its field
    error: problem,
    onBlur: () => type(undefined),
  };
  const take = (text: string) => {
    type(text);
    onChange(field.name, read(text, field));
  };
  if (field.kind === "lines" || field.kind === "data") {
    return <Textarea {...shown} autosize maxRows={MOST_LINES} onChange={(event) => take(event.currentTarget.value)} />;
  }
  if (field.suggestions.length > 0) return <Autocomplete {...shown} data={field.suggestions} onChange={take} />;
  return (
    <TextInput
      {...shown}
      inputMode={field.kind === "number" ? "decimal" : undefined}
      onChange={(event) => take(event.currentTarget.value)}
    />
  );
}
