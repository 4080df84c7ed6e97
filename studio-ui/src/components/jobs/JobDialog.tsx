import { Button, Group, Input, Modal } from "@mantine/core";
import { type ReactNode, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { hasEnded } from "../../frame/job";
import { useDraft } from "../../state/draft";
import { ErrorCard } from "../ErrorCard";
import { FieldInput } from "../fields/FieldInput";
import type { Json } from "../fields/json";
import { type Field, fieldsOf } from "../fields/schema";
import { JobProgress } from "./JobProgress";
import classes from "./Jobs.module.css";
import { type Job, useJob } from "./useJob";

interface Props {
  /** The kind of job, from whose description the form is made. */
  kind: string;
  title: string;
  /** Under which what is typed is kept. */
  draft: string;
  /** Arguments that are given, and not asked for. */
  given?: Record<string, Json>;
  /** What stands in the fields at first. */
  usual?: Record<string, Json>;
  /** The arguments that most people want, in this order; the others are folded away. */
  first: string[];
  /** What is asked for above the fields. */
  children?: ReactNode;
  /** What the finished job made. */
  made?: (job: Job) => ReactNode;
  onClose: () => void;
}

/** Asks for what a job needs, starts it, and shows how it goes. It may be closed: the job goes on. */
export function JobDialog({ kind, title, draft, given = {}, usual = {}, first, children, made, onClose }: Props) {
  const { t } = useTranslation("jobs");
  const kinds = useGet("/api/jobs/kinds", undefined, { staleTime: Number.POSITIVE_INFINITY });
  const [typed, type, forget] = useDraft<Record<string, Json>>(`job:${kind}:${draft}`, {});
  const { job, problem, sending, start } = useJob();
  const schema = kinds.data?.find((each) => each.name === kind)?.arguments;
  const fields = useMemo(() => fieldsOf(schema ?? {}), [schema]);
  const asked = fields.filter((field) => !(field.name in given));
  const values = { ...usual, ...typed };
  const running = job !== undefined && !hasEnded(job);

  async function send() {
    const sent = Object.fromEntries(Object.entries({ ...values, ...given }).filter(([, value]) => value !== null));
    if (await start(kind, sent)) forget();
  }

  const row = (field: Field) => (
    <Input.Wrapper
      key={field.name}
      id={field.name}
      label={field.label}
      description={field.description}
      labelProps={{ htmlFor: field.name }}
    >
      <FieldInput field={field} value={values[field.name]} onChange={(name, value) => type((before) => ({ ...before, [name]: value }))} />
    </Input.Wrapper>
  );
  const shown = first.map((name) => asked.find((field) => field.name === name)).filter((field) => field !== undefined);
  const folded = asked.filter((field) => !first.includes(field.name));

  return (
    <Modal opened onClose={onClose} title={title} size="lg">
      <div className={classes.dialog}>
        {children}
        {shown.map(row)}
        {folded.length > 0 && (
          <details className={classes.more}>
            <summary>{t("more")}</summary>
            <div className={classes.dialog}>{folded.map(row)}</div>
          </details>
        )}
        {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
        {job && <JobProgress job={job} />}
        {job?.state === "done" && made?.(job)}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t(job ? "close" : "cancel")}
          </Button>
          <Button onClick={send} loading={sending} disabled={running || schema === undefined}>
            {t(running ? "running" : "start")}
          </Button>
        </Group>
      </div>
    </Modal>
  );
}
