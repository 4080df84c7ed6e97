import { Button, SegmentedControl } from "@mantine/core";
import { FolderOpen } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { Shape } from "../../api/client";
import { useGet } from "../../api/queries";
import { EmptyState } from "../../components/EmptyState";
import { ErrorCard } from "../../components/ErrorCard";
import { Loaded } from "../../components/Loaded";
import { ProjectGone } from "../../components/ProjectGone";
import { useAddress, useAddressPart } from "../../state/address";
import { usePreferences } from "../../state/preferences";
import { BaseChoice } from "./BaseChoice";
import { ExpertForm } from "./ExpertForm";
import { PlanPanel } from "./PlanPanel";
import { SimpleForm } from "./SimpleForm";
import { StartButtons } from "./StartButtons";
import { SweepPlan } from "./sweep/SweepPlan";
import { useSweep } from "./sweep/useSweep";
import { VaryForm } from "./sweep/VaryForm";
import classes from "./Train.module.css";
import { TrainMenu } from "./TrainMenu";
import { usePlan } from "./usePlan";
import { useStartFrom } from "./useStartFrom";
import { type Training, useTraining } from "./useTraining";

/** What will be trained, how, and what that will take: the last look before it begins. */
export default function Train() {
  const project = useAddressPart("project");
  const found = useGet("/api/projects/{project}", { path: { project } });
  return (
    <div className={classes.screen}>
      <Loaded of={found} height={400} gone={(problem) => <ProjectGone problem={problem} />}>
        {(project) => <TrainProject key={project.id} project={project} />}
      </Loaded>
    </div>
  );
}

function TrainProject({ project }: { project: Shape<"ProjectView"> }) {
  const { t } = useTranslation("train");
  const { training, problem, again } = useTraining(project);
  useStartFrom(training);
  if (!project.base) {
    return (
      <>
        <h1>{t("title")}</h1>
        <BaseChoice project={project} />
      </>
    );
  }
  if (project.standing?.pictures === 0) {
    return (
      <EmptyState
        icon={<FolderOpen size={32} />}
        action={
          <Button component={Link} href={`/projects/${encodeURIComponent(project.id)}/images`}>
            {t("captions:to_images")}
          </Button>
        }
      >
        {t("no_pictures")}
      </EmptyState>
    );
  }
  return (
    <>
      {problem && <ErrorCard key={problem.message} problem={problem} onAgain={again} />}
      {training ? <Workbench project={project} training={training} /> : problem && <BaseChoice project={project} />}
    </>
  );
}

function Workbench({ project, training }: { project: Shape<"ProjectView">; training: Training }) {
  const { t } = useTranslation("train");
  const [preferences, prefer] = usePreferences();
  const [chosen, choose] = useAddress("level");
  const level = chosen === "sweep" ? "sweep" : (chosen || preferences.level) === "expert" ? "expert" : "simple";
  const planned = usePlan(training.settings);

  function show(wanted: string) {
    choose(wanted);
    if (wanted !== "sweep") prefer({ level: wanted === "expert" ? "expert" : "simple" });
  }

  return (
    <div className={classes.bench}>
      <header className={classes.head}>
        <h1>{t("title")}</h1>
        <SegmentedControl
          value={level}
          onChange={show}
          aria-label={t("view")}
          data={[
            { value: "simple", label: t("simple") },
            { value: "expert", label: t("expert") },
            { value: "sweep", label: t("sweeps:vary") },
          ]}
        />
        <TrainMenu project={project} training={training} />
      </header>
      {level === "sweep" ? (
        <VarySettings project={project.id} training={training} />
      ) : (
        <>
          <div className={classes.form}>
            {level === "simple" ? (
              <SimpleForm project={project} training={training} planned={planned} />
            ) : (
              <ExpertForm training={training} planned={planned} />
            )}
          </div>
          <aside className={classes.aside}>
            <PlanPanel project={project.id} training={training} planned={planned} />
            <StartButtons project={project} training={training} planned={planned} onVary={() => show("sweep")} />
          </aside>
        </>
      )}
    </div>
  );
}

/** A sweep instead of one training: what varies, and what that will take. */
function VarySettings({ project, training }: { project: string; training: Training }) {
  const sweep = useSweep(project, training);
  return (
    <>
      <div className={classes.form}>
        <VaryForm training={training} sweep={sweep} />
      </div>
      <aside className={classes.aside}>
        <SweepPlan project={project} training={training} sweep={sweep} />
      </aside>
    </>
  );
}
