import { Modal } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { LibraryFolders } from "../../components/folders/LibraryFolders";

/** The folders in which LoRAs are looked for. */
export function FoldersDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation("library");
  return (
    <Modal opened onClose={onClose} title={t("folders")} size="lg">
      <LibraryFolders />
    </Modal>
  );
}
