import { useTranslation } from "react-i18next";
import { FindingList } from "./FindingList";
import type { Program } from "./inspected";
import classes from "./Lora.module.css";

/** What each program does with the file: all of it loads, a part, or none. */
export function Programs({ programs }: { programs: Record<string, Program> }) {
  const { t } = useTranslation("library");
  return (
    <ul className={classes.programs}>
      {Object.entries(programs).map(([name, program]) => (
        <li key={name} data-verdict={program.verdict}>
          <div className={classes.program}>
            <strong>{name}</strong> <span className="soft small">{program.version}</span>
            <span className={classes.verdict}>{t(`verdict_${program.verdict}`)}</span>
            <span className="soft small">{t("layers_of", { loads: program.loads, layers: program.layers })}</span>
          </div>
          <FindingList findings={program.findings} />
        </li>
      ))}
    </ul>
  );
}
