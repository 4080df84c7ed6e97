import { Button, Group } from "@mantine/core";
import { useTranslation } from "react-i18next";
import classes from "./Editor.module.css";
import type { EditedCaption } from "./useCaption";

/** Somebody else changed the caption while one typed: what they wrote, and which of the two is to stay. Nothing is lost until one has chosen. */
export function Changed({ caption }: { caption: EditedCaption }) {
  const { t } = useTranslation("captions");
  return (
    <div className={classes.changed} role="alert">
      <p>{t("changed_elsewhere")}</p>
      <blockquote>{caption.saved?.data.text || t("empty")}</blockquote>
      <Group gap="sm">
        <Button size="xs" onClick={caption.saveOver}>
          {t("keep_mine")}
        </Button>
        <Button size="xs" variant="default" onClick={caption.forget}>
          {t("take_theirs")}
        </Button>
      </Group>
    </div>
  );
}
