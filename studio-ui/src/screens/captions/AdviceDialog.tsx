import { Button, Group, Modal } from "@mantine/core";
import { CircleCheck } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import { useGet } from "../../api/queries";
import { EmptyState } from "../../components/EmptyState";
import { ErrorCard } from "../../components/ErrorCard";
import { Loaded } from "../../components/Loaded";
import { Sentence } from "../../components/Sentence";
import { say } from "../../components/say";
import { SIGNS } from "../../components/severity";
import { useFindingWords } from "../../words/findingWords";
import classes from "./AdviceDialog.module.css";
import { NOT_UTF8 } from "./encodings/NotUtf8";

const MOST_SHOWN = 50; // captions in a filter that names each

type Finding = Shape<"FindingView">;

interface Ways {
  /** Shows these captions alone. */
  onShow: (captions: string[]) => void;
  /** Opens what makes captions UTF-8. */
  onConvert: () => void;
}

/** What is odd about the captions, the gravest first: why it matters, and a button where an edit mends it. */
export function AdviceDialog({ project, onClose, ...ways }: { project: string; onClose: () => void } & Ways) {
  const { t } = useTranslation("captions");
  const advice = useGet("/api/projects/{project}/advice", { path: { project } });
  return (
    <Modal opened onClose={onClose} title={t("advice")} size="lg">
      <Loaded of={advice}>
        {(findings) =>
          findings.length === 0 ? (
            <EmptyState icon={<CircleCheck size={32} />}>{t("no_advice")}</EmptyState>
          ) : (
            <ul className={classes.list}>
              {findings.map((finding) => (
                <li key={`${finding.code} ${finding.message}`}>
                  <Advice project={project} finding={finding} {...ways} />
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Modal>
  );
}

function Advice({ project, finding, onShow, onConvert }: { project: string; finding: Finding } & Ways) {
  const { t } = useTranslation("captions");
  const [problem, setProblem] = useState<unknown>();
  const { message, evidence, why, fix, original } = useFindingWords().findingWords(finding);
  const edits = finding.fix?.changes.filter((change) => change.kind === "caption") ?? [];

  async function doIt() {
    const [first, ...followed_by] = edits.map(({ edit, parameters }) => ({
      edit: String(edit),
      arguments: parameters as Shape<"FurtherEdit">["arguments"],
    }));
    if (first === undefined) return;
    const body: Shape<"EditRequest"> = { ...first, followed_by, paths: finding.subjects, count_in: "folder" };
    try {
      const { changed } = await ask(api.POST("/api/projects/{project}/edits", { params: { path: { project } }, body }));
      say(t("edited", { count: changed }));
    } catch (error) {
      setProblem(error);
    }
  }

  return (
    <article className={classes.advice} data-severity={finding.severity}>
      <h3 title={original}>
        <span className={classes.sign} aria-hidden>
          {SIGNS[finding.severity]}
        </span>{" "}
        <Sentence>{message}</Sentence>
      </h3>
      {evidence && <p className="small">{evidence}</p>}
      <p className="soft">{why}</p>
      {fix && (
        <p>
          <Sentence>{fix}</Sentence>
        </p>
      )}
      {finding.details.length > 0 && <p className="soft small">{finding.details.join(", ")}</p>}
      {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
      <Group gap="sm">
        {edits.length > 0 && (
          <Button size="xs" onClick={doIt}>
            {t("do_it")}
          </Button>
        )}
        {finding.code === NOT_UTF8 ? (
          <Button size="xs" onClick={onConvert}>
            {t("convert_them")}
          </Button>
        ) : (
          finding.about === "caption" &&
          finding.subjects.length > 0 && (
            <Button size="xs" variant="default" onClick={() => onShow(finding.subjects.slice(0, MOST_SHOWN))}>
              {t("show_captions", { count: Math.min(finding.subjects.length, MOST_SHOWN) })}
            </Button>
          )
        )}
      </Group>
    </article>
  );
}
