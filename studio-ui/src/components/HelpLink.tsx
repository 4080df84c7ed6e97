import { BookOpen } from "lucide-react";
import { useTranslation } from "react-i18next";
import classes from "./HelpLink.module.css";

interface Props {
  /** What it is about: the handbook knows settings by their dotted name, findings by their code, and verdicts. */
  kind: "settings" | "findings" | "verdicts";
  name: string;
  /** Whether there is a sign alone; what it leads to is then said to screen readers. */
  sign?: boolean;
}

/** The way to what the handbook says of something, in a tab of its own. */
export function HelpLink({ kind, name, sign = false }: Props) {
  const { t } = useTranslation("findings");
  const words = t("help_about", { name });
  return (
    <a
      href={`/docs/${kind}/${encodeURIComponent(name)}`}
      target="_blank"
      rel="noreferrer"
      className={classes.help}
      title={words}
      aria-label={words}
    >
      <BookOpen size={14} aria-hidden />
      {!sign && t("help")}
    </a>
  );
}
