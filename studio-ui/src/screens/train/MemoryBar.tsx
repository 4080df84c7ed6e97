import { Progress, Tooltip } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { bytes } from "../../components/format";
import type { Forecast } from "./estimate";
import classes from "./MemoryBar.module.css";

const NEARLY_FULL = 0.9;

/** The memory that is needed of the memory that there is. */
export function MemoryBar({ forecast, room, later }: { forecast: Forecast; room?: number; later: string }) {
  const { t } = useTranslation("train");
  const { memory, parts } = forecast;
  const share = memory !== undefined && room ? memory / room : 0;
  const colour = share > 1 ? "var(--bad)" : share > NEARLY_FULL ? "var(--warn)" : "var(--good)";
  const words = memory === undefined || room === undefined ? later : t("memory_of", { memory: bytes(memory), room: bytes(room) });
  const label = parts.length > 0 ? parts.map(([name, size]) => `${name} ${bytes(size)}`).join(" · ") : later;
  return (
    <Tooltip label={label} multiline maw={280}>
      <div className={classes.memory}>
        <div className={classes.words}>
          <span className="soft small">{t("memory")}</span>
          <span className="small">{words}</span>
        </div>
        <Progress value={Math.min(1, share) * 100} color={colour} size="md" aria-label={`${t("memory")}: ${words}`} />
        {share > 1 && <p className={classes.over}>{t("memory_over")}</p>}
      </div>
    </Tooltip>
  );
}
