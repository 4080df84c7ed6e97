import { ActionIcon, Badge, Button, RingProgress, Tooltip, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { spotlight } from "@mantine/spotlight";
import { CircleHelp, ListTodo, Moon, Redo2, Search, Sun, Undo2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useGet } from "../api/queries";
import { usePreferences } from "../state/preferences";
import { isWaiting, shareOf } from "./job";
import classes from "./TopBar.module.css";
import type { Undo } from "./undo";

interface Props {
  project: string;
  undo: Undo;
  onKeys: () => void;
  onJobs: () => void;
}

/** The open project, undo and redo, the jobs, the colours and the keys. */
export function TopBar({ project, undo, onKeys, onJobs }: Props) {
  const { t } = useTranslation("frame");
  return (
    <header className={classes.bar}>
      {project && <ProjectName project={project} />}
      <span className={classes.gap} />
      <Button
        variant="default"
        size="xs"
        leftSection={<Search size={14} aria-hidden />}
        onClick={spotlight.open}
        className={classes.search}
      >
        {t("find")}
      </Button>
      <IconButton words={undo.undoes ? t("undo_this", { words: undo.undoes }) : t("undo")} onClick={undo.undo} icon={<Undo2 size={18} />} />
      <IconButton words={undo.redoes ? t("redo_this", { words: undo.redoes }) : t("redo")} onClick={undo.redo} icon={<Redo2 size={18} />} />
      <JobsButton onClick={onJobs} />
      <SchemeButton />
      <IconButton words={t("keys")} onClick={onKeys} icon={<CircleHelp size={18} />} />
    </header>
  );
}

function ProjectName({ project }: { project: string }) {
  const { t } = useTranslation("frame");
  const { data } = useGet("/api/projects/{project}", { path: { project } });
  return (
    <div className={classes.project}>
      <strong className={classes.name}>{data?.name ?? project}</strong>
      {data && (
        <Badge variant="outline" color="gray" radius="xl" tt="none" className={classes.kind}>
          {t(`kind_${data.kind}`)}
        </Badge>
      )}
    </div>
  );
}

/** A button that is an icon, with its words as tooltip and name. */
export function IconButton({ words, icon, onClick }: { words: string; icon: React.ReactNode; onClick?: () => void }) {
  return (
    <Tooltip label={words}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="var(--hit)"
        aria-label={words}
        onClick={onClick}
        disabled={!onClick}
        className={classes.button}
      >
        {icon}
      </ActionIcon>
    </Tooltip>
  );
}

function JobsButton({ onClick }: { onClick: () => void }) {
  const { t } = useTranslation("frame");
  const { data } = useGet("/api/jobs");
  const running = data?.filter((job) => job.state === "running") ?? [];
  const waiting = data?.filter(isWaiting).length ?? 0;
  const share = running.map(shareOf).find((value) => value !== undefined);
  const words = running.length ? t("jobs_running", { count: running.length, waiting }) : t("jobs");
  return (
    <Tooltip label={words}>
      <ActionIcon variant="subtle" color="gray" size="var(--hit)" aria-label={words} onClick={onClick}>
        {running.length ? (
          <RingProgress size={26} thickness={3} sections={[{ value: 100 * (share ?? 0.05), color: "var(--accent)" }]} aria-hidden />
        ) : (
          <ListTodo size={18} />
        )}
      </ActionIcon>
    </Tooltip>
  );
}

function SchemeButton() {
  const { t } = useTranslation("frame");
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  const [, prefer] = usePreferences();
  const other = scheme === "light" ? "dark" : "light";
  return (
    <IconButton
      words={t(other)}
      icon={scheme === "light" ? <Moon size={18} /> : <Sun size={18} />}
      onClick={() => {
        setColorScheme(other);
        prefer({ scheme: other });
      }}
    />
  );
}
