import { Button, Menu } from "@mantine/core";
import { Ellipsis, FileDown, FileUp, RotateCcw } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { useAddress } from "../../state/address";
import { ExportDialog } from "./ExportDialog";
import { ImportDialog } from "./ImportDialog";
import type { Training } from "./useTraining";

/** Settings in and out: those of other trainers and of LoRAs, the settings file, the command. */
export function TrainMenu({ project, training }: { project: Shape<"ProjectView">; training: Training }) {
  const { t } = useTranslation("train");
  const [dialog, show] = useAddress("dialog");
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button variant="default" leftSection={<Ellipsis size={16} aria-hidden />}>
            {t("more")}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<FileUp size={16} aria-hidden />} onClick={() => show("import")}>
            {t("import")}
          </Menu.Item>
          <Menu.Item leftSection={<FileDown size={16} aria-hidden />} onClick={() => show("export")}>
            {t("export")}
          </Menu.Item>
          <Menu.Item
            leftSection={<RotateCcw size={16} aria-hidden />}
            disabled={Object.keys(training.changes).length === 0}
            onClick={() => training.replace({})}
          >
            {t("all_to_recipe")}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {dialog === "import" && <ImportDialog project={project} training={training} onClose={() => show("")} />}
      {dialog === "export" && <ExportDialog project={project} training={training} onClose={() => show("")} />}
    </>
  );
}
