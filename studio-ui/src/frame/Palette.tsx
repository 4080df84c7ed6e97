import { Spotlight, type SpotlightActionData } from "@mantine/spotlight";
import { FolderOpen, Keyboard, ListTodo, Search } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { useGet } from "../api/queries";
import { PLACES } from "./places";
import { useProjectId } from "./project";

/** Ctrl+K: every screen, project and command by a few of its letters. */
export function Palette({ onKeys, onJobs }: { onKeys: () => void; onJobs: () => void }) {
  const { t } = useTranslation("frame");
  const [, go] = useLocation();
  const project = useProjectId();
  const [asked, ask] = useState(false);
  const { data: projects } = useGet("/api/projects", undefined, { enabled: asked });
  const actions: SpotlightActionData[] = [
    ...PLACES.filter((place) => project || !place.ofProject).map((place) => ({
      id: `place:${place.name}`,
      label: t(place.name),
      description: place.ofProject ? project : undefined,
      leftSection: <place.icon size={18} aria-hidden />,
      onClick: () => go(place.address(encodeURIComponent(project))),
    })),
    ...(projects ?? []).map((found) => ({
      id: `project:${found.id}`,
      label: found.name,
      description: t("project"),
      leftSection: <FolderOpen size={18} aria-hidden />,
      onClick: () => go(`/projects/${encodeURIComponent(found.id)}/images`),
    })),
    { id: "jobs", label: t("jobs"), leftSection: <ListTodo size={18} aria-hidden />, onClick: onJobs },
    { id: "keys", label: t("keys"), leftSection: <Keyboard size={18} aria-hidden />, onClick: onKeys },
  ];
  return (
    <Spotlight
      actions={actions}
      shortcut="mod + K"
      nothingFound={t("nothing_found")}
      limit={9}
      onSpotlightOpen={() => ask(true)}
      attributes={{ content: { "aria-label": t("find") } }}
      searchProps={{ placeholder: t("find"), leftSection: <Search size={18} aria-hidden />, "aria-label": t("find") }}
    />
  );
}
