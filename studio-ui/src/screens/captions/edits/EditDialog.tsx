import { Button, Group, Modal, Select } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../../api/client";
import type { Problem } from "../../../api/problem";
import { useGet } from "../../../api/queries";
import { ErrorCard } from "../../../components/ErrorCard";
import { Loaded } from "../../../components/Loaded";
import { say } from "../../../components/say";
import { useDraft } from "../../../state/draft";
import { ArgumentField } from "./ArgumentField";
import { DryRun } from "./DryRun";
import classes from "./EditDialog.module.css";
import { ScopeField } from "./ScopeField";
import { argumentsOf, isComplete, requestOf, type Scope, usualScope, type Value, type Wanted } from "./wanted";

const STILL_FOR = 250; // milliseconds without a change before the edit is tried

interface Props {
  project: string;
  filter: string;
  selected: readonly string[];
  /** Tags that are proposed where tags are typed. */
  tags: readonly string[];
  onClose: () => void;
}

/** Under which the edit that is being made is kept. */
export function draftOfEdit(project: string): string {
  return `edit:${project}`;
}

/** An edit of many captions: which one, with what, for which captions. What it would do is shown before it is done. */
export function EditDialog({ project, filter, selected, tags, onClose }: Props) {
  const { t } = useTranslation("captions");
  const kinds = useGet("/api/projects/{project}/edits", { path: { project } }, { staleTime: Number.POSITIVE_INFINITY });
  const [wanted, setWanted, forget] = useDraft<Wanted>(draftOfEdit(project), { edit: "add", arguments: {} });
  const [scope, setScope] = useState<Scope>(wanted.scope ?? usualScope(filter, selected));
  const kind = kinds.data?.find((one) => one.name === wanted.edit);
  const known = kind ? argumentsOf(kind.arguments) : [];
  const request = requestOf(wanted, scope, filter, selected);
  const plan = usePlan(project, request, kind !== undefined && isComplete(known, wanted.arguments));
  const [problem, setProblem] = useState<unknown>();
  const [applying, setApplying] = useState(false);

  function give(name: string, value: Value | undefined): void {
    const { [name]: _, ...others } = wanted.arguments;
    setWanted({ ...wanted, arguments: value === undefined ? others : { ...others, [name]: value } });
  }

  async function apply() {
    setApplying(true);
    try {
      const done = await ask(api.POST("/api/projects/{project}/edits", { params: { path: { project } }, body: request }));
      say(t("edited", { count: done.changed }));
      forget();
      onClose();
    } catch (error) {
      setProblem(error);
    } finally {
      setApplying(false);
    }
  }

  return (
    <Modal opened onClose={onClose} title={t("edit_many")} size="lg">
      <div className={classes.dialog}>
        <Loaded of={kinds}>
          {(all) => (
            <>
              <Select
                label={t("edit")}
                description={kind && sentenceOf(kind)}
                data={all.map((one) => ({ value: one.name, label: t(`edits.${one.name}`, { defaultValue: one.name }) }))}
                value={wanted.edit}
                onChange={(edit) => edit && setWanted({ edit, arguments: {} })}
                allowDeselect={false}
                searchable
              />
              {known.map((argument) => (
                <ArgumentField
                  key={`${wanted.edit} ${argument.name}`}
                  argument={argument}
                  value={wanted.arguments[argument.name]}
                  tags={tags}
                  onChange={(value) => give(argument.name, value)}
                />
              ))}
            </>
          )}
        </Loaded>
        <ScopeField scope={scope} onScope={setScope} filter={filter} selected={selected.length} />
        {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
        {plan.error ? <ErrorCard key={plan.error.message} problem={plan.error} /> : plan.data && <DryRun plan={plan.data} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t("close")}
          </Button>
          <Button onClick={apply} loading={applying} disabled={!plan.data || plan.isPlaceholderData || plan.data.changed === 0}>
            {t("apply")}
          </Button>
        </Group>
      </div>
    </Modal>
  );
}

/** What the edit would do, tried anew when the typing stops. */
function usePlan(project: string, request: Shape<"EditRequest">, complete: boolean) {
  const [[asked, ready]] = useDebouncedValue([JSON.stringify(request), complete] as const, STILL_FOR);
  return useQuery<Shape<"EditPlan">, Problem>({
    queryKey: ["/api/projects/{project}/edits:plan", project, asked],
    queryFn: ({ signal }) =>
      ask(api.POST("/api/projects/{project}/edits:plan", { params: { path: { project } }, body: JSON.parse(asked), signal })),
    enabled: ready,
    placeholderData: ready ? keepPreviousData : undefined,
    staleTime: 0,
  });
}

/** The edit's first sentence; what follows are examples for the command line. */
function sentenceOf(kind: Shape<"EditKind">): string {
  return kind.words.split("\n\n")[0] ?? "";
}
