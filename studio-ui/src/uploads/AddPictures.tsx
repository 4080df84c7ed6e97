import { ActionIcon, Button, Menu, Tooltip } from "@mantine/core";
import { ImagePlus } from "lucide-react";
import { useTranslation } from "react-i18next";
import { sayProblem } from "../components/say";
import { chooseFiles } from "./choose";
import { beginUpload } from "./sending";

/** Adds pictures to a project by the browser's dialog, where one does not want to drop them. */
export function AddPictures({ project, compact }: { project: string; compact?: boolean }) {
  const { t } = useTranslation("uploads");
  const add = (folder: boolean) =>
    chooseFiles({ folder })
      .then((files) => beginUpload(project, files))
      .catch(sayProblem);
  return (
    <Menu>
      <Menu.Target>
        {compact ? (
          <Tooltip label={t("add")}>
            <ActionIcon variant="default" size={36} aria-label={t("add")}>
              <ImagePlus size={18} />
            </ActionIcon>
          </Tooltip>
        ) : (
          <Button leftSection={<ImagePlus size={16} aria-hidden />}>{t("add")}</Button>
        )}
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => add(false)}>{t("files")}</Menu.Item>
        <Menu.Item onClick={() => add(true)}>{t("folder")}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
