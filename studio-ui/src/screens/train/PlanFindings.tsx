import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { FindingCard } from "../../components/FindingCard";
import { settingChangesOf } from "../../components/settingChanges";
import classes from "./PlanPanel.module.css";
import type { Changes } from "./tree";

/** What is odd about the plan, with a button where the remedy is a change of settings. */
export function PlanFindings({ findings, onChange }: { findings: Shape<"FindingView">[]; onChange: (changes: Changes) => void }) {
  const { t } = useTranslation("train");
  return (
    <ul className={classes.findings}>
      {findings.map((finding) => {
        const changes = settingChangesOf(finding);
        return (
          <li key={finding.code + finding.message}>
            <FindingCard finding={finding}>
              {changes && (
                <Button size="compact-xs" onClick={() => onChange(changes)}>
                  {t("change_it")}
                </Button>
              )}
            </FindingCard>
          </li>
        );
      })}
    </ul>
  );
}
