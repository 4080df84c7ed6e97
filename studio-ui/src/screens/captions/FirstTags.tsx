import { Button, CloseButton } from "@mantine/core";
import { Tags } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { useDraft } from "../../state/draft";
import classes from "./Captions.module.css";

/** Where no picture has a caption yet: a tagger may write the first ones, and what it costs to go on without. It can be closed. */
export function FirstTags({ project, onLabel }: { project: string; onLabel: () => void }) {
  const { t } = useTranslation("captions");
  const { data } = useGet("/api/projects/{project}", { path: { project } });
  const [closed, close] = useDraft(`first-tags:${project}`, false);
  if (closed || data?.standing == null || data.standing.captioned > 0) return null;
  return (
    <div className={classes.first}>
      <Tags size={20} aria-hidden />
      <p>{t("first_tags")}</p>
      <Button size="xs" onClick={onLabel}>
        {t("choose_tagger")}
      </Button>
      <CloseButton aria-label={t("close")} onClick={() => close(true)} />
    </div>
  );
}
