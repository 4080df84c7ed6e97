import { Anchor, NumberInput, SegmentedControl, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { Shape } from "../../api/client";
import { number } from "../../components/format";
import { BaseChoice } from "./BaseChoice";
import { folderOf } from "./names";
import { SamplePrompts } from "./SamplePrompts";
import classes from "./SimpleForm.module.css";
import { type Json, valueAt } from "./tree";
import type { Planned } from "./usePlan";
import { type Training, useProjectChange } from "./useTraining";

const LEVELS = ["quick", "standard", "competition"] as const;
const MOST_EPOCHS = 10_000;

interface Props {
  project: Shape<"ProjectView">;
  training: Training;
  planned: Planned;
}

/** The six things that one may want to decide; all else is the recipe's. */
export function SimpleForm({ project, training, planned }: Props) {
  const { t } = useTranslation("train");
  const change = useProjectChange(project.id);
  const problemAt = (place: string) => (planned.problem?.told.place === place ? planned.problem.message : undefined);
  const name = String(valueAt(training.settings, "name") ?? "");
  const trigger = String(valueAt(training.settings, "captions.trigger") ?? "");
  return (
    <div className={classes.form}>
      <BaseChoice project={project} planned={planned} />
      <div className={classes.pair}>
        <TextInput
          label={t("name")}
          description={t("name_says")}
          value={name}
          error={training.taken.has(folderOf(name)) ? t("name_taken", { name }) : problemAt("name")}
          onChange={(event) => training.set("name", event.currentTarget.value)}
        />
        <TextInput
          label={t("trigger")}
          description={
            trigger !== (project.trigger ?? "") ? (
              <>
                {t("trigger_differs", { trigger: project.trigger || "–" })}{" "}
                <Anchor size="xs" component={Link} href={`/projects/${encodeURIComponent(project.id)}/captions`}>
                  {t("to_captions")}
                </Anchor>
              </>
            ) : (
              t("trigger_says")
            )
          }
          value={trigger}
          error={problemAt("captions.trigger")}
          onChange={(event) => training.set("captions.trigger", event.currentTarget.value || null)}
        />
      </div>
      <div className={classes.pair}>
        <div>
          <div className={classes.label} id="level">
            {t("level")}
          </div>
          <p className="soft small">{t(`level_${project.level}`)}</p>
          <SegmentedControl
            fullWidth
            mt={6}
            aria-labelledby="level"
            value={project.level}
            onChange={(level) => change({ level: level as (typeof LEVELS)[number] })}
            data={LEVELS.map((level) => ({ value: level, label: t(level) }))}
          />
        </div>
        <Length training={training} planned={planned} problem={problemAt("training.epochs")} />
      </div>
      <SamplePrompts
        prompts={listOf(valueAt(training.settings, "samples.prompts"))}
        trigger={trigger}
        changed={"samples.prompts" in training.changes}
        problem={problemAt("samples.prompts")}
        onChange={(prompts) => training.set("samples.prompts", prompts)}
        onReset={() => training.reset("samples.prompts")}
      />
    </div>
  );
}

/** How long, as epochs, with the steps that they are. */
function Length({ training, planned, problem }: { training: Training; planned: Planned; problem?: string }) {
  const { t } = useTranslation("train");
  const epochs = valueAt(training.settings, "training.epochs");
  const steps = valueAt(training.settings, "training.max_train_steps");
  const { plan } = planned;
  const perEpoch = plan?.steps_per_epoch;
  const says =
    typeof epochs === "number" && perEpoch !== undefined
      ? t("length_says", { each: number(perEpoch), steps: number(perEpoch * epochs) })
      : typeof steps === "number"
        ? t("length_in_steps", { steps: number(steps) })
        : t("length_unknown");
  return (
    <NumberInput
      label={t("length")}
      description={says}
      min={1}
      max={MOST_EPOCHS}
      allowDecimal={false}
      clampBehavior="strict"
      value={typeof epochs === "number" ? epochs : ""}
      error={problem}
      onChange={(value) => {
        if (typeof value === "number" && value >= 1) training.setAll({ "training.epochs": value, "training.max_train_steps": null });
      }}
    />
  );
}

function listOf(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
