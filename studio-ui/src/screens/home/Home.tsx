import { Button, Group } from "@mantine/core";
import { FolderPlus, Sparkles } from "lucide-react";
import { useCallback, useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { api, ask, type Shape } from "../../api/client";
import { useGet } from "../../api/queries";
import { Loaded } from "../../components/Loaded";
import { sayProblem } from "../../components/say";
import { useAddress } from "../../state/address";
import { DropWindow } from "../../uploads/DropWindow";
import type { Gathered } from "../../uploads/gather";
import { Archived } from "./Archived";
import classes from "./Home.module.css";
import { LibraryStrip } from "./LibraryStrip";
import { NewLora } from "./NewLora";
import { ProjectCard } from "./ProjectCard";
import { SystemCard } from "./SystemCard";

/** Where one begins, and goes on: the projects, a new one by a click or by dropping pictures anywhere, the demo, and the machine. */
export function Home() {
  const { t } = useTranslation("home");
  const [, go] = useLocation();
  const projects = useGet("/api/projects");
  const [dialog, openDialog] = useAddress("dialog");
  const [dropped, setDropped] = useState<Gathered[]>([]);
  const drop = useCallback(
    (gathered: Gathered[]) => {
      setDropped(gathered);
      openDialog("new");
    },
    [openDialog],
  );

  function close(): void {
    setDropped([]);
    openDialog("");
  }

  function makeDemo(): void {
    ask(api.POST("/api/projects:demo"))
      .then((demo) => go(`/projects/${encodeURIComponent(demo.id)}/images`))
      .catch(sayProblem);
  }

  return (
    <div className={classes.home}>
      <DropWindow onFiles={drop} words={t("drop")} />
      <Group justify="space-between">
        <h1>{t("title")}</h1>
        {projects.data && projects.data.length > 0 && (
          <Group gap="sm">
            <Button variant="default" leftSection={<Sparkles size={16} aria-hidden />} onClick={makeDemo}>
              {t("demo")}
            </Button>
            <Button leftSection={<FolderPlus size={16} aria-hidden />} onClick={() => openDialog("new")}>
              {t("new")}
            </Button>
          </Group>
        )}
      </Group>
      <Loaded of={projects} height={180}>
        {(all) =>
          all.length === 0 ? (
            <Beginning onNew={() => openDialog("new")} onDemo={makeDemo} />
          ) : (
            <ul className={classes.cards}>
              {[...all].sort(latestFirst).map((project) => (
                <li key={project.id}>
                  <ProjectCard project={project} />
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      <Archived />
      <LibraryStrip />
      <SystemCard />
      <NewLora opened={dialog === "new"} dropped={dropped} onDropped={setDropped} onClose={close} />
    </div>
  );
}

/** Where there is no project yet: two ways to begin. */
function Beginning({ onNew, onDemo }: { onNew: () => void; onDemo: () => void }) {
  const { t } = useTranslation("home");
  return (
    <div className={classes.beginning}>
      <button type="button" className={classes.begin} onClick={onNew}>
        <FolderPlus size={40} aria-hidden />
        <strong>{t("your_pictures")}</strong>
        <span>{t("your_pictures_words")}</span>
      </button>
      <button type="button" className={classes.begin} onClick={onDemo}>
        <Sparkles size={40} aria-hidden />
        <strong>{t("try_demo")}</strong>
        <span>{t("try_demo_words")}</span>
      </button>
    </div>
  );
}

function latestFirst(one: Shape<"ProjectView">, other: Shape<"ProjectView">): number {
  return (other.created ?? "").localeCompare(one.created ?? "");
}
