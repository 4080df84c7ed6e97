import { ActionIcon, Button, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask } from "../../api/client";
import { lookAgain, useGet } from "../../api/queries";
import { useDraft } from "../../state/draft";
import { ErrorCard } from "../ErrorCard";
import { Loaded } from "../Loaded";
import classes from "./LibraryFolders.module.css";

/** The folders in which LoRAs are looked for; each change holds at once. */
export function LibraryFolders() {
  const { t } = useTranslation("library");
  const client = useQueryClient();
  const known = useGet("/api/library/folders");
  const projects = useGet("/api/projects");
  const [typed, type, forget] = useDraft("library:folder", "");
  const [problem, setProblem] = useState<unknown>();
  const [saving, setSaving] = useState(false);
  const folders = known.data?.folders ?? [];
  const workspace = workspaceOf(projects.data?.[0]);

  async function save(wanted: string[]) {
    setSaving(true);
    setProblem(undefined);
    try {
      await ask(api.PUT("/api/library/folders", { body: { folders: wanted } }));
      await lookAgain(client, "/api/library/folders", "/api/library");
      return true;
    } catch (error) {
      setProblem(error);
      return false;
    } finally {
      setSaving(false);
    }
  }

  async function add(event: FormEvent) {
    event.preventDefault();
    if (await save([...folders, typed.trim()])) forget();
  }

  return (
    <div className={classes.all}>
      <p>{t("folders_say")}</p>
      <Loaded of={known} height={80}>
        {({ folders }) => (
          <ul className={classes.folders}>
            {folders.map((folder) => (
              <li key={folder}>
                <span>{folder}</span>
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  size="var(--hit)"
                  aria-label={t("remove_folder", { folder })}
                  disabled={saving}
                  onClick={() => save(folders.filter((other) => other !== folder))}
                >
                  <Trash2 size={16} />
                </ActionIcon>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      <form onSubmit={add} className={classes.add}>
        <TextInput
          label={t("folder_path")}
          placeholder="/home/me/stable-diffusion-webui/models/Lora"
          value={typed}
          onChange={(event) => type(event.currentTarget.value)}
        />
        <Button type="submit" disabled={!typed.trim()} loading={saving}>
          {t("add_folder")}
        </Button>
      </form>
      {workspace && !folders.includes(workspace) && (
        <Button variant="default" justify="flex-start" onClick={() => save([...folders, workspace])}>
          {t("add_workspace", { folder: workspace })}
        </Button>
      )}
      {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
    </div>
  );
}

/** The workspace that a project is in: what it trains is below it. */
function workspaceOf(project: { folder: string; id: string } | undefined): string {
  return project?.folder.replace(/[\\/]projects[\\/][^\\/]+$/, "") ?? "";
}
