import { TagsInput } from "@mantine/core";
import { BaseOption } from "./BaseOption";
import { basesFor } from "./found";
import { useBases } from "./useBases";

interface Props {
  label: string;
  /** Sources with commas between them. */
  value: string;
  onChange: (sources: string) => void;
}

/** Chooses several bases, as `BaseField` does one. */
export function BasesField({ label, value, onChange }: Props) {
  const bases = useBases();
  const bySource = new Map(bases.map((base) => [base.source, base]));
  const chosen = value
    .split(",")
    .map((source) => source.trim())
    .filter(Boolean);
  return (
    <TagsInput
      label={label}
      data={[...bySource.keys()]}
      filter={({ options, search }) => {
        const found = new Set(basesFor(search, bases));
        return options.filter((option) => "value" in option && found.has(option.value));
      }}
      renderOption={({ option }) => {
        const base = bySource.get(option.value);
        return base ? <BaseOption base={base} /> : option.value;
      }}
      value={chosen}
      onChange={(sources) => onChange(sources.join(", "))}
    />
  );
}
