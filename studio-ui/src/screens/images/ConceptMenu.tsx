import { ActionIcon, Menu } from "@mantine/core";
import { Ellipsis } from "lucide-react";
import { useTranslation } from "react-i18next";

interface Props {
  /** Of the concept. */
  name: string;
  regularisation: boolean;
  onSelect: () => void;
  onRegularisation: (regularisation: boolean) => void;
}

/** What can be done to all pictures of a concept. */
export function ConceptMenu({ name, regularisation, onSelect, onRegularisation }: Props) {
  const { t } = useTranslation("images");
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="var(--hit)" aria-label={t("more_of", { name })}>
          <Ellipsis size={16} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={onSelect}>{t("select_all_of")}</Menu.Item>
        <Menu.Item onClick={() => onRegularisation(!regularisation)}>{t(regularisation ? "as_subject" : "as_regularisation")}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
