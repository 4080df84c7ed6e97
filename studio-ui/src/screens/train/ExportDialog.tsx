import { Button, Code, Group, Modal } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import type { Problem } from "../../api/problem";
import { CommandLine } from "../../components/CommandLine";
import { Loaded } from "../../components/Loaded";
import { save } from "../../components/save";
import classes from "./ExportDialog.module.css";
import { folderOf } from "./names";
import { recipeFile } from "./recipe";
import { valueAt } from "./tree";
import type { Training } from "./useTraining";

interface Props {
  project: Shape<"ProjectView">;
  training: Training;
  onClose: () => void;
}

/** The settings as a file, the command that trains with it, and what was changed as a recipe of one's own. */
export function ExportDialog({ project, training, onClose }: Props) {
  const { t } = useTranslation("train");
  const { settings, changes } = training;
  const folder = folderOf(String(valueAt(settings, "name") ?? "")) || project.id;
  const file = useQuery<string, Problem>({
    queryKey: ["/api/settings:toml", settings],
    queryFn: () => ask(api.POST("/api/settings:toml", { body: { settings }, parseAs: "text" })) as Promise<string>,
  });
  const described = useQuery<Shape<"BaseView">, Problem>({
    queryKey: ["/api/bases:describe", { query: { source: project.base ?? "" } }],
    queryFn: () => ask(api.GET("/api/bases:describe", { params: { query: { source: project.base ?? "" } } })),
  });
  const recipe = described.data && recipeFile(`${project.kind}/${described.data.family}/${project.level}`, changes);
  return (
    <Modal opened onClose={onClose} title={t("export")} size="xl">
      <div className={classes.dialog}>
        <CommandLine words={t("export_command")} command={`lorasmith train ${folder}.toml --out projects/${project.id}/runs/${folder}`} />
        <Loaded of={file} height={320}>
          {(text) => (
            <>
              <Group gap="sm">
                <Button leftSection={<Download size={16} aria-hidden />} onClick={() => save(`${folder}.toml`, text)}>
                  {t("export_file", { file: `${folder}.toml` })}
                </Button>
                {recipe && (
                  <Button
                    variant="default"
                    leftSection={<Download size={16} aria-hidden />}
                    disabled={Object.keys(changes).length === 0}
                    onClick={() => save(`${folder}-recipe.toml`, recipe)}
                  >
                    {t("export_recipe")}
                  </Button>
                )}
              </Group>
              <Code block className={classes.text} tabIndex={0}>
                {text}
              </Code>
            </>
          )}
        </Loaded>
      </div>
    </Modal>
  );
}
