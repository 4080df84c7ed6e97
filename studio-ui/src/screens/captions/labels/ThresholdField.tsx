import { Slider } from "@mantine/core";
import { percent } from "../../../components/format";
import classes from "./LabelDialog.module.css";

interface Props {
  label: string;
  /** 0-1; undefined until the tagger's own is known. */
  value: number | undefined;
  disabled?: boolean;
  onChange: (value: number) => void;
}

/** How sure the tagger must be of a tag. */
export function ThresholdField({ label, value, disabled, onChange }: Props) {
  return (
    <div>
      <p className={classes.label}>
        {label}
        <span className="soft">{value !== undefined && percent(value)}</span>
      </p>
      <Slider
        thumbLabel={label}
        label={null}
        min={0.01}
        max={0.99}
        step={0.01}
        value={value ?? 0.35}
        disabled={disabled || value === undefined}
        onChange={onChange}
      />
    </div>
  );
}
