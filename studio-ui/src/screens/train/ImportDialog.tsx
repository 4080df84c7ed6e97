import { Button, FileButton, Group, Modal, TextInput } from "@mantine/core";
import { FileUp } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import { ErrorCard } from "../../components/ErrorCard";
import { picturesFolder } from "../../components/paths";
import { say } from "../../components/say";
import { useDraft } from "../../state/draft";
import classes from "./ImportDialog.module.css";
import { ImportReport } from "./ImportReport";
import { changesOf } from "./imported";
import type { Tree } from "./tree";
import type { Training } from "./useTraining";

type Imported = Shape<"ImportedView">;

const ENDINGS = ".json,.toml,.yaml,.yml,.sh,.bat,.ps1,.txt,.safetensors";

interface Props {
  project: Shape<"ProjectView">;
  training: Training;
  onClose: () => void;
}

/** Settings of another trainer, of a LoRA or of our own, or a recipe of one's own: read, shown with what became of each option, and only then taken. */
export function ImportDialog({ project, training, onClose }: Props) {
  const { t } = useTranslation("train");
  const [path, type] = useDraft(`import:${project.id}`, "");
  const [imported, setImported] = useState<Imported>();
  const [problem, setProblem] = useState<unknown>();
  const [reading, setReading] = useState(false);

  async function look(file: string, text?: string) {
    setReading(true);
    setProblem(undefined);
    setImported(undefined);
    try {
      const datasets = [picturesFolder(project)];
      setImported(await ask(api.POST("/api/settings:import", { body: { file, text, base: project.base, datasets, project: project.id } })));
    } catch (error) {
      setProblem(error);
    } finally {
      setReading(false);
    }
  }

  async function read(file: File | null) {
    if (!file) return;
    if (file.name.toLowerCase().endsWith(".safetensors")) setProblem(t("import_lora_by_path"));
    else await look(file.name, await file.text());
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    look(path.trim());
  }

  function take(settings: Tree) {
    const changes = changesOf(training.recipe, settings);
    training.replace(changes);
    say(t("import_taken", { count: Object.keys(changes).length }));
    onClose();
  }

  return (
    <Modal opened onClose={onClose} title={t("import")} size="lg">
      <div className={classes.dialog}>
        <p>{t("import_says")}</p>
        <Group gap="sm" align="end">
          <FileButton onChange={read} accept={ENDINGS}>
            {(button) => (
              <Button {...button} variant="default" leftSection={<FileUp size={16} aria-hidden />}>
                {t("import_file")}
              </Button>
            )}
          </FileButton>
          <form onSubmit={submit} className={classes.path}>
            <TextInput
              label={t("import_path")}
              placeholder="/models/loras/example.safetensors"
              value={path}
              onChange={(event) => type(event.currentTarget.value)}
            />
            <Button type="submit" variant="default" disabled={!path.trim()} loading={reading}>
              {t("import_read")}
            </Button>
          </form>
        </Group>
        {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
        {imported && <ImportReport imported={imported} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t("frame:cancel")}
          </Button>
          <Button disabled={!imported?.settings} onClick={() => take(imported?.settings as Tree)}>
            {t("import_take")}
          </Button>
        </Group>
      </div>
    </Modal>
  );
}
