import { SegmentedControl } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { usePreferences } from "../../state/preferences";
import i18next, { LANGUAGES, type Language } from "../../words";
import classes from "./Settings.module.css";

const SCHEMES = ["auto", "light", "dark"] as const;
const LEVELS = ["simple", "expert"] as const;

/** Language, colours, and how much of the training settings is shown; kept by the studio for every browser. */
export function Appearance() {
  const { t } = useTranslation("settings");
  const [{ language, scheme, level }, prefer] = usePreferences();
  return (
    <div className={classes.fields}>
      <Choice
        label={t("language")}
        value={language ?? (i18next.language as Language)}
        choices={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
        onChoose={(value) => prefer({ language: value as Language })}
      />
      <Choice
        label={t("colours")}
        value={scheme ?? "auto"}
        choices={SCHEMES.map((value) => ({ value, label: t(`scheme_${value}`) }))}
        onChoose={(value) => prefer({ scheme: value as (typeof SCHEMES)[number] })}
      />
      <Choice
        label={t("level")}
        description={t("level_is")}
        value={level ?? "simple"}
        choices={LEVELS.map((value) => ({ value, label: t(`level_${value}`) }))}
        onChoose={(value) => prefer({ level: value as (typeof LEVELS)[number] })}
      />
    </div>
  );
}

interface ChoiceProps {
  label: string;
  description?: string;
  value: string;
  choices: { value: string; label: string }[];
  onChoose: (value: string) => void;
}

function Choice({ label, description, value, choices, onChoose }: ChoiceProps) {
  return (
    <div>
      <p className={classes.label}>{label}</p>
      {description && <p className="soft small">{description}</p>}
      <SegmentedControl aria-label={label} value={value} data={choices} onChange={onChoose} mt={4} />
    </div>
  );
}
