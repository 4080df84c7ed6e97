import { Button, Group } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Shape } from "../api/client";
import { useFindingWords } from "../words/findingWords";
import { changesOf, type MendChange } from "./changes";
import classes from "./FindingCard.module.css";
import { HelpLink } from "./HelpLink";
import { Sentence } from "./Sentence";
import { SeverityIcon } from "./SeverityIcon";
import { wayName } from "./ways";

interface Props {
  finding: Shape<"FindingView">;
  /** Makes the changes that mend it; without, there is no button. */
  onMend?: (changes: MendChange[]) => void;
  busy?: boolean;
  /** More buttons. */
  children?: React.ReactNode;
}

/** One finding: what is wrong, what was measured, what comes of it, what to do, a button for that where there is one, and who says so. */
export function FindingCard({ finding, onMend, busy, children }: Props) {
  const { t } = useTranslation("findings");
  const changes = onMend ? changesOf(finding) : [];
  const { message, evidence, why, fix, original } = useFindingWords().findingWords(finding);
  return (
    <article className={classes.card} data-severity={finding.severity}>
      <SeverityIcon severity={finding.severity} label={t(finding.severity)} />
      <div>
        <h3 title={original}>
          <Sentence>{message}</Sentence>
        </h3>
        {(original ? evidence : isSentence(evidence)) && (
          <p className="soft small">
            <Sentence>{evidence}</Sentence>
          </p>
        )}
        {why && <p className="small">{why}</p>}
        {fix && (
          <p className="small">
            <Sentence>{fix}</Sentence>
          </p>
        )}
        {finding.details.length > 0 && (
          <p className="soft small">
            <Sentence>{finding.details.join(" · ")}</Sentence>
          </p>
        )}
        {finding.source && <p className="soft small">{finding.source}</p>}
        <Group gap="sm" mt={4}>
          {onMend && changes.length > 0 && (
            <Button size="xs" variant="light" loading={busy} onClick={() => onMend(changes)}>
              {changes.map(({ way }) => wayName(way)).join(t("and"))}
            </Button>
          )}
          {children}
          <HelpLink kind="findings" name={finding.code} />
        </Group>
      </div>
    </article>
  );
}

/** A number with its unit alone is in the message already. */
function isSentence(text: string): boolean {
  return text.endsWith(".");
}
