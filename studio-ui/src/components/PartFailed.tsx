import { Button, CloseButton } from "@mantine/core";
import { TriangleAlert } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Problem } from "../api/problem";
import { list } from "./format";
import classes from "./PartFailed.module.css";
import { Sentence } from "./Sentence";

interface Props {
  /** What failed, in a sentence; what worked stands below. */
  message: string;
  /** Why, for those who want to know. */
  reasons: readonly string[];
  onAgain: () => void;
  onClose?: () => void;
}

/** A part of what was asked for failed: a bar that names it, says why, and tries again. */
export function PartFailed({ message, reasons, onAgain, onClose }: Props) {
  const { t } = useTranslation("frame");
  const [shown, show] = useState(false);
  return (
    <div className={classes.bar} role="alert">
      <TriangleAlert size={18} aria-hidden className={classes.icon} />
      <span className={classes.message}>{message}</span>
      <Button size="compact-sm" variant="default" aria-expanded={shown} onClick={() => show(!shown)}>
        {t(shown ? "hide" : "show")}
      </Button>
      <Button size="compact-sm" variant="default" onClick={onAgain}>
        {t("again")}
      </Button>
      {onClose && <CloseButton aria-label={t("close")} onClick={onClose} />}
      {shown && (
        <ul className={classes.reasons}>
          {[...new Set(reasons)].map((reason) => (
            <li key={reason}>
              <Sentence>{reason}</Sentence>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

interface Part {
  error: Problem | null;
  refetch: () => unknown;
}

/** The parts of a screen that could not be fetched, by what they are called. Nothing where all are there. */
export function FailedParts({ parts }: { parts: Readonly<Record<string, Part>> }) {
  const { t } = useTranslation("frame");
  const failed = Object.entries(parts).flatMap(([name, { error, refetch }]) => (error ? [{ name, error, refetch }] : []));
  if (failed.length === 0) return null;
  return (
    <PartFailed
      message={t("not_fetched", { parts: list(failed.map(({ name }) => name)) })}
      reasons={failed.map(({ error }) => error.message)}
      onAgain={() => {
        for (const { refetch } of failed) refetch();
      }}
    />
  );
}
