import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { Shape } from "../../api/client";
import { changesOf } from "../../components/changes";
import { FindingCard } from "../../components/FindingCard";
import { JobBar } from "../../components/jobs/JobBar";
import { settingChangesOf } from "../../components/settingChanges";
import { wayName } from "../../components/ways";
import { usePictureChanges } from "../images/usePictureChanges";
import classes from "./PlanPanel.module.css";
import type { Changes } from "./tree";

interface Props {
  project: string;
  findings: Shape<"FindingView">[];
  onChange: (changes: Changes) => void;
}

/** What is odd about the plan, many of one kind on one card; with a button where the remedy is a change of settings, or of all the pictures. */
export function PlanFindings({ project, findings, onChange }: Props) {
  const { t } = useTranslation("train");
  const client = useQueryClient();
  const pictures = usePictureChanges(project);
  const mending = pictures.job?.state;
  useEffect(() => {
    if (mending === "done") client.invalidateQueries({ queryKey: ["/api/plans"] });
  }, [mending, client]);

  async function mend({ subjects }: Shape<"FindingView">, changes: ReturnType<typeof changesOf>) {
    await pictures.mend([{ pictures: subjects, changes }]);
    client.invalidateQueries({ queryKey: ["/api/plans"] });
  }

  return (
    <ul className={classes.findings}>
      {pictures.job && pictures.job.state !== "done" && !pictures.job.dismissed && (
        <li>
          <JobBar job={pictures.job} />
        </li>
      )}
      {findings.map((finding) => {
        const settings = settingChangesOf(finding);
        const mends = changesOf(finding);
        return (
          <li key={finding.code + finding.message}>
            <FindingCard finding={finding}>
              {settings && (
                <Button size="compact-xs" onClick={() => onChange(settings)}>
                  {t("change_it")}
                </Button>
              )}
              {mends.length > 0 && (
                <Button size="compact-xs" variant="light" loading={pictures.busy} onClick={() => mend(finding, mends)}>
                  {t("to_all", { way: mends.map(({ way }) => wayName(way)).join(t("findings:and")), count: finding.subjects.length })}
                </Button>
              )}
              {finding.about === "caption" && (
                <Button size="compact-xs" variant="default" component={Link} href={`/projects/${encodeURIComponent(project)}/captions`}>
                  {t("open_captions")}
                </Button>
              )}
            </FindingCard>
            {finding.subjects.length > 1 && finding.about !== "setting" && <Subjects subjects={finding.subjects} />}
          </li>
        );
      })}
    </ul>
  );
}

/** What a card is about where that is several files: their names, folded away. */
function Subjects({ subjects }: { subjects: readonly string[] }) {
  const { t } = useTranslation("train");
  return (
    <details className={classes.subjects}>
      <summary className="soft small">{t("which", { count: subjects.length })}</summary>
      <ul className="small">
        {subjects.map((subject) => (
          <li key={subject}>{subject}</li>
        ))}
      </ul>
    </details>
  );
}
