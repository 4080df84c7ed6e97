import { Button, Checkbox, Code } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import { lookAgain, useGet } from "../../api/queries";
import { HelpLink } from "../../components/HelpLink";
import { sayProblem } from "../../components/say";
import { hasEnded } from "../../frame/job";
import { useFindingWords } from "../../words/findingWords";
import { auditArguments } from "./auditArguments";
import classes from "./SideList.module.css";
import { useProjectChange } from "./useProjectChange";

const EXTRA = "ocr"; // what reads words

interface Props {
  project: string;
  audit: Shape<"AuditView">;
  /** The check that words are read for. */
  check: Shape<"AuditCheck">;
}

/** Whether words on the pictures are read, by a job, for that takes a second or two each. */
export function ReadWords({ project, audit, check }: Props) {
  const { t } = useTranslation("images");
  const { messageOf } = useFindingWords();
  const client = useQueryClient();
  const { data: details } = useGet("/api/projects/{project}", { path: { project } });
  const { data: machine } = useGet("/api/system");
  const { data: jobs } = useGet("/api/jobs");
  const change = useProjectChange(project);
  if (!details || !machine || !jobs) return null;
  const missing = machine.missing.find(({ name }) => name === EXTRA);
  const reading = jobs.some((job) => job.project === project && job.kind === "audit" && !hasEnded(job));

  const read = () =>
    ask(
      api.POST("/api/jobs", {
        body: { kind: "audit", project, arguments: { ...auditArguments(details, audit.resolution), words: true }, priority: 0 },
      }),
    )
      .then(() => lookAgain(client, "/api/jobs"))
      .catch(sayProblem);

  function turn(on: boolean) {
    change(() => ({ read_words: on }));
    if (on) read();
  }

  return (
    <div>
      <div className={classes.check}>
        <Checkbox
          size="xs"
          label={t("read_words")}
          description={messageOf(check.code, check.message)}
          checked={details.read_words}
          disabled={missing !== undefined && !details.read_words}
          onChange={(event) => turn(event.currentTarget.checked)}
        />
        <HelpLink kind="findings" name={check.code} sign />
      </div>
      {missing && (
        <p className="soft small">
          {t("read_words_needs")} <Code>{missing.command}</Code>
        </p>
      )}
      {!missing && !reading && audit.words_unread > 0 && (
        <Button size="xs" variant="default" onClick={read}>
          {t("read_words_now", { count: audit.words_unread })}
        </Button>
      )}
    </div>
  );
}
