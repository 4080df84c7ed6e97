import { Button } from "@mantine/core";
import { CircleAlert, Info, TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import classes from "./PlanFinding.module.css";
import type { Changes, Json } from "./tree";

type Finding = Shape<"FindingView">;

const ICONS = { error: CircleAlert, warning: TriangleAlert, note: Info } as const;

/** Something odd about the plan: what, why that matters, and a button where its remedy is a change of settings. */
export function PlanFinding({ finding, onChange }: { finding: Finding; onChange: (changes: Changes) => void }) {
  const { t } = useTranslation("train");
  const Icon = ICONS[finding.severity];
  const changes = settingsIn(finding);
  return (
    <article className={classes.finding} data-severity={finding.severity}>
      <Icon size={16} aria-label={t(finding.severity)} className={classes.icon} />
      <div>
        <p>{finding.message}</p>
        {finding.why && <p className="soft">{finding.why}</p>}
        {finding.fix && (
          <p>
            {finding.fix.words}{" "}
            {changes && (
              <Button size="compact-xs" onClick={() => onChange(changes)}>
                {t("change_it")}
              </Button>
            )}
          </p>
        )}
        {finding.source && <p className="soft">{finding.source}</p>}
      </div>
    </article>
  );
}

/** The changes of settings that mend it; undefined where that takes something else. */
function settingsIn(finding: Finding): Changes | undefined {
  const changes = (finding.fix?.changes ?? []) as { kind?: string; setting?: string; value?: Json }[];
  if (changes.length === 0 || changes.some((change) => change.kind !== "setting")) return undefined;
  return Object.fromEntries(changes.map((change) => [change.setting, change.value ?? null]));
}
