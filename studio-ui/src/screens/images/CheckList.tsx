import { Checkbox } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { useGet } from "../../api/queries";
import { findingName } from "../../components/gallery/pictureLook";
import { HelpLink } from "../../components/HelpLink";
import { useFindingWords } from "../../words/findingWords";
import { ReadWords } from "./ReadWords";
import classes from "./SideList.module.css";
import { useProjectChange } from "./useProjectChange";

interface Props {
  project: string;
  audit: Shape<"AuditView">;
  /** What the gallery is narrowed to. */
  finding: string;
  onFinding: (code: string) => void;
}

/** What the audit looks for in this project: each check can be switched off. Nothing is measured again for it. */
export function CheckList({ project, audit, finding, onFinding }: Props) {
  const { t } = useTranslation("images");
  const { messageOf } = useFindingWords();
  const { data: checks } = useGet("/api/checks", undefined, { staleTime: Number.POSITIVE_INFINITY });
  const { data: details } = useGet("/api/projects/{project}", { path: { project } });
  const change = useProjectChange(project);
  if (!checks || !details) return null;
  const off = new Set(details.audit_without);

  function turn({ check, code }: Shape<"AuditCheck">, on: boolean) {
    if (!on && code === finding) onFinding("");
    change(({ audit_without }) => ({
      audit_without: on ? audit_without.filter((one) => one !== check) : [...audit_without, check],
    }));
  }

  const groups = [
    { title: t("checks_of_pictures"), of: checks.filter(({ about, reads_words }) => about === "picture" && !reads_words) },
    { title: t("checks_of_set"), of: checks.filter(({ about }) => about !== "picture") },
  ];
  const lists = groups.map(({ title, of }) => (
    <fieldset key={title} className={classes.checks}>
      <legend>{title}</legend>
      <ul className={classes.list}>
        {of.map((one) => (
          <li key={one.check} className={classes.check}>
            <Checkbox
              size="xs"
              label={findingName(one.code)}
              description={messageOf(one.code, one.message)}
              checked={!off.has(one.check)}
              onChange={(event) => turn(one, event.currentTarget.checked)}
            />
            <HelpLink kind="findings" name={one.code} sign />
          </li>
        ))}
      </ul>
    </fieldset>
  ));
  return (
    <>
      {checks.map((check) => check.reads_words && <ReadWords key={check.check} project={project} audit={audit} check={check} />)}
      {lists}
    </>
  );
}
