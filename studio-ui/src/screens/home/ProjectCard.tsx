import { ActionIcon, Menu, Progress } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useQueryClient } from "@tanstack/react-query";
import { Archive, Ellipsis, ImageOff, Pencil } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, ask, type Shape } from "../../api/client";
import { lookAgain, useGet } from "../../api/queries";
import { percent } from "../../components/format";
import { StudioImage } from "../../components/image/StudioImage";
import { say, sayProblem } from "../../components/say";
import classes from "./Home.module.css";
import { Rename } from "./Rename";
import { addressOf, stageOf } from "./stage";

/** A project: a picture of it, its name, how far it has come, and the way to where it goes on. */
export function ProjectCard({ project }: { project: Shape<"ProjectView"> }) {
  const { t } = useTranslation("home");
  const running = useGet(
    "/api/runs/{run}",
    { path: { run: `${project.id}~${project.standing?.running}` } },
    { enabled: project.standing?.running != null },
  );
  const share = running.data?.steps ? running.data.step / running.data.steps : undefined;
  const stage = stageOf(project);
  return (
    <article className={classes.card}>
      <Link href={addressOf(project)} className={classes.open}>
        <Cover project={project} />
        <strong className={classes.name}>{project.name}</strong>
        <span className="soft small">
          {t(`stage_${stage}`)}
          {share !== undefined && ` ${percent(share)}`}
          {project.standing && project.standing.pictures > 0 && ` · ${t("pictures", { count: project.standing.pictures })}`}
        </span>
        {share !== undefined && <Progress value={100 * share} size="xs" aria-label={t("stage_running")} />}
        {project.problem && <span className={classes.problem}>{project.problem}</span>}
      </Link>
      <ProjectMenu project={project} />
    </article>
  );
}

function Cover({ project }: { project: Shape<"ProjectView"> }) {
  const none = (
    <span className={classes.cover}>
      <ImageOff size={28} aria-hidden />
    </span>
  );
  if (!project.standing?.pictures) return none;
  return (
    <StudioImage
      className={classes.cover}
      src={`/files/projects/${encodeURIComponent(project.id)}/cover`}
      alt=""
      loading="lazy"
      otherwise={none}
    />
  );
}

function ProjectMenu({ project }: { project: Shape<"ProjectView"> }) {
  const { t } = useTranslation("home");
  const client = useQueryClient();

  function archive(): void {
    ask(api.DELETE("/api/projects/{project}", { params: { path: { project: project.id } } }))
      .then(() => say(t("in_bin", { name: project.name })))
      .catch(sayProblem)
      .finally(() => lookAgain(client, "/api/projects", "/api/projects:archived"));
  }

  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="default" size="var(--hit)" className={classes.menu} aria-label={t("menu_of", { name: project.name })}>
          <Ellipsis size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          leftSection={<Pencil size={16} />}
          onClick={() => modals.open({ title: t("rename"), children: <Rename project={project} /> })}
        >
          {t("rename")}
        </Menu.Item>
        <Menu.Item leftSection={<Archive size={16} />} onClick={archive}>
          {t("archive")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
