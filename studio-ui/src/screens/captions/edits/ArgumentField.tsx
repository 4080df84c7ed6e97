import { NumberInput, Select, Switch, TagsInput, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Argument, Value } from "./wanted";

interface Props {
  argument: Argument;
  value: Value | undefined;
  /** Tags that are proposed where tags are typed. */
  tags: readonly string[];
  onChange: (value: Value | undefined) => void;
}

/** One argument of an edit, as the kind of field that its schema asks for. */
export function ArgumentField({ argument, value, tags, onChange }: Props) {
  const { t } = useTranslation("captions");
  const { name, description, required, usual } = argument;
  const label = t(`arguments.${name}`, { defaultValue: name.replaceAll("_", " ") });
  const said = { label, description, withAsterisk: required };
  switch (argument.kind) {
    case "tags":
      return (
        <TagsInput
          {...said}
          data={[...tags]}
          limit={8}
          maxDropdownHeight={200}
          value={(value ?? usual ?? []) as string[]}
          onChange={(next) => onChange(next.length > 0 ? next : undefined)}
        />
      );
    case "yes":
      return <Switch {...said} checked={Boolean(value ?? usual)} onChange={(event) => onChange(event.currentTarget.checked)} />;
    case "choice":
      return (
        <Select
          {...said}
          data={argument.choices.map((choice) => ({ value: choice, label: t(`choices.${choice}`, { defaultValue: choice }) }))}
          value={(value ?? usual ?? null) as string | null}
          onChange={(next) => onChange(next ?? undefined)}
          allowDeselect={!required}
        />
      );
    case "number":
      return (
        <NumberInput
          {...said}
          min={argument.least}
          max={argument.most}
          step={argument.whole ? 1 : 0.05}
          allowDecimal={!argument.whole}
          value={(value ?? usual ?? "") as number | string}
          onChange={(next) => onChange(typeof next === "number" ? next : undefined)}
        />
      );
    case "words":
      return (
        <TextInput
          {...said}
          value={(value ?? usual ?? "") as string}
          onChange={(event) => onChange(event.currentTarget.value === "" && !required ? undefined : event.currentTarget.value)}
        />
      );
  }
}
