import { Alert, Autocomplete, Button, Group, Modal, NumberInput, SegmentedControl, Switch, TagsInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../../api/client";
import type { Problem } from "../../../api/problem";
import { useGet } from "../../../api/queries";
import { ErrorCard } from "../../../components/ErrorCard";
import { say } from "../../../components/say";
import { useDraft } from "../../../state/draft";
import { ScopeField } from "../edits/ScopeField";
import { type Scope, usualScope } from "../edits/wanted";
import classes from "./LabelDialog.module.css";
import { previewOf, requestOf, type Wishes } from "./labels";
import { Preview } from "./Preview";
import { ThresholdField } from "./ThresholdField";

const STILL_FOR = 200; // milliseconds without a change before the preview is asked for
const MODES = ["ignore", "append", "overwrite"] as const;

interface Props {
  project: string;
  /** They stay in front of what the tagger finds. */
  triggers: readonly string[];
  filter: string;
  selected: readonly string[];
  /** Tags that are proposed where tags are typed. */
  tags: readonly string[];
  onClose: () => void;
}

/** Let a tagger write captions: which tags of it are used, tried live on a few pictures from what it said before, then written by a job. */
export function LabelDialog({ project, triggers, filter, selected, tags, onClose }: Props) {
  const { t } = useTranslation("captions");
  const [kept, setWishes] = useDraft<Wishes>(`labels:${project}`, { tagger: "", mode: "ignore", choice: {} });
  const wishes = { ...kept, choice: { prepend: [...triggers], ...kept.choice } };
  const [scope, setScope] = useState<Scope>(usualScope(filter, selected));
  const taggers = useGet("/api/taggers");
  const tagger = wishes.tagger || taggers.data?.[0] || "";
  const preview = usePreview(project, previewOf(wishes, scope, filter, selected));
  const [named] = useDebouncedValue(tagger, 2 * STILL_FOR);
  const described = useGet("/api/taggers:describe", { query: { source: named } }, { enabled: named !== "" });
  const used = preview.data?.tagger ? preview.data.choice : described.data;
  const [problem, setProblem] = useState<unknown>();
  const [starting, setStarting] = useState(false);

  function choose(changed: Wishes["choice"]): void {
    setWishes({ ...kept, choice: { ...kept.choice, ...changed } });
  }

  async function start() {
    setStarting(true);
    try {
      const body = requestOf({ ...wishes, tagger }, scope, filter, selected);
      await ask(api.POST("/api/projects/{project}/labels", { params: { path: { project } }, body }));
      say(t("labelling"));
      onClose();
    } catch (error) {
      setProblem(error);
    } finally {
      setStarting(false);
    }
  }

  const list = (name: "blacklist" | "prepend" | "append") => (
    <TagsInput
      label={t(name)}
      data={[...tags]}
      limit={8}
      value={[...(wishes.choice[name] ?? [])]}
      onChange={(value) => choose({ [name]: value })}
    />
  );

  return (
    <Modal opened onClose={onClose} title={t("auto_label")} size="min(1080px, 96vw)">
      <div className={classes.dialog}>
        <div className={classes.form}>
          <Autocomplete
            label={t("tagger")}
            description={t("tagger_is")}
            data={taggers.data ?? []}
            error={named === tagger && described.error?.message}
            value={tagger}
            onChange={(value) => setWishes({ ...kept, tagger: value })}
          />
          <ThresholdField
            label={t("general_threshold")}
            value={wishes.choice.general_threshold ?? used?.general_threshold}
            disabled={wishes.choice.mcut}
            onChange={(value) => choose({ general_threshold: value })}
          />
          <ThresholdField
            label={t("character_threshold")}
            value={wishes.choice.character_threshold ?? used?.character_threshold}
            disabled={wishes.choice.mcut}
            onChange={(value) => choose({ character_threshold: value })}
          />
          <Switch
            label={t("mcut")}
            description={t("mcut_is")}
            checked={wishes.choice.mcut ?? false}
            onChange={(event) => choose({ mcut: event.currentTarget.checked })}
          />
          <NumberInput
            label={t("max_tags")}
            min={1}
            allowDecimal={false}
            value={wishes.choice.max_tags ?? ""}
            onChange={(value) => choose({ max_tags: typeof value === "number" ? value : null })}
          />
          {list("prepend")}
          {list("append")}
          {list("blacklist")}
          <div>
            <p className={classes.label}>{t("mode")}</p>
            <SegmentedControl
              fullWidth
              aria-label={t("mode")}
              value={wishes.mode}
              onChange={(mode) => setWishes({ ...kept, mode: mode as Wishes["mode"] })}
              data={MODES.map((mode) => ({ value: mode, label: t(`mode_${mode}`) }))}
            />
          </div>
          <ScopeField scope={scope} onScope={setScope} filter={filter} selected={selected.length} />
        </div>
        <div className={classes.preview}>
          {preview.error && <ErrorCard key={preview.error.message} problem={preview.error} onAgain={preview.refetch} />}
          {preview.data?.tagger === "" && (
            <Alert color="gray" title={t("not_run_yet")}>
              {t("not_run_yet_why")}
            </Alert>
          )}
          {preview.data?.tagger && <Preview project={project} previews={preview.data} />}
        </div>
      </div>
      {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
      <Group justify="flex-end" className={classes.foot}>
        <Button variant="default" onClick={onClose}>
          {t("close")}
        </Button>
        <Button onClick={start} loading={starting} disabled={tagger === ""}>
          {t("write_tags")}
        </Button>
      </Group>
    </Modal>
  );
}

/** What the choice would do to a few captions, tried anew when nothing has been changed for a moment; no tagger runs. */
function usePreview(project: string, request: Shape<"LabelPreviewRequest">) {
  const [asked] = useDebouncedValue(JSON.stringify(request), STILL_FOR);
  return useQuery<Shape<"LabelPreviews">, Problem>({
    queryKey: ["/api/projects/{project}/labels:preview", project, asked],
    queryFn: ({ signal }) =>
      ask(api.POST("/api/projects/{project}/labels:preview", { params: { path: { project } }, body: JSON.parse(asked), signal })),
    placeholderData: keepPreviousData,
  });
}
