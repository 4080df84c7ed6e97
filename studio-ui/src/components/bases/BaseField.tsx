import { Autocomplete } from "@mantine/core";
import { BaseOption } from "./BaseOption";
import { basesFor } from "./found";
import { useBases } from "./useBases";

interface Props {
  /** Of the field, where its label is elsewhere. */
  id?: string;
  label?: string;
  value: string;
  placeholder?: string;
  error?: string;
  onChange: (source: string) => void;
}

/** Chooses a base among those that there are, by name, family and place; a path or an id of the hub may be typed. */
export function BaseField({ value, onChange, ...shown }: Props) {
  const bases = useBases();
  const bySource = new Map(bases.map((base) => [base.source, base]));
  const chosen = bySource.get(value);
  return (
    <Autocomplete
      {...shown}
      descriptionProps={shown.id ? { id: `${shown.id}-chosen` } : undefined} // what is asked for has a description of its own around it
      description={chosen && [chosen.name, chosen.title].filter(Boolean).join(" · ")}
      inputWrapperOrder={["label", "error", "input", "description"]}
      data={[...bySource.keys()]}
      filter={({ options, search }) => {
        const found = new Set(basesFor(search, bases));
        return options.filter((option) => "value" in option && found.has(option.value));
      }}
      renderOption={({ option }) => {
        const base = bySource.get(option.value);
        return base ? <BaseOption base={base} /> : option.value;
      }}
      value={value}
      onChange={onChange}
      spellCheck={false}
    />
  );
}
