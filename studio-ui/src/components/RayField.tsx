import { TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useGet } from "../api/queries";

interface Props {
  value: string;
  error?: string;
  onChange: (value: string) => void;
}

/** The Ray cluster over which something is trained; where Ray is not installed, the command that installs it. */
export function RayField({ value, error, onChange }: Props) {
  const { t } = useTranslation("sweeps");
  const { data: system } = useGet("/api/system");
  const missing = system?.missing.find((extra) => extra.packages.includes("ray"));
  return (
    <TextInput
      label={t("ray")}
      description={missing ? t("ray_missing", { command: missing.command }) : t("ray_says")}
      placeholder={t("ray_example")}
      value={value}
      error={error}
      disabled={missing !== undefined && value === ""}
      onChange={(event) => onChange(event.currentTarget.value.trim())}
    />
  );
}
