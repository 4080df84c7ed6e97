import { Button, CloseButton, Group } from "@mantine/core";
import { Crop, Maximize2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { FindingCard } from "../../components/FindingCard";
import { number } from "../../components/format";
import { Loaded } from "../../components/Loaded";
import classes from "./Inspector.module.css";
import { PictureFactsList } from "./PictureFactsList";
import { PictureView } from "./PictureView";
import { subjectsOf } from "./subjectsOf";
import type { PictureChanges } from "./usePictureChanges";
import { useResolution } from "./useResolution";

interface Props {
  project: string;
  /** What is selected, in order. */
  selected: readonly string[];
  changes: PictureChanges;
  onOpen: (picture: string, tool?: string) => void;
  /** What the picture is called after a mend. */
  onMended: (pictures: readonly string[]) => void;
  onClose: () => void;
}

/** One picture in large, with its facts, what is wrong with it and what can be done. */
export function Inspector({ selected, onClose, ...props }: Props) {
  const { t } = useTranslation("images");
  const [only, second] = selected;
  return (
    <aside className={classes.inspector} aria-label={t("inspector")}>
      <header className={classes.head}>
        <strong className={classes.name}>
          {second !== undefined ? t("selected", { count: selected.length, shown: number(selected.length) }) : (only ?? t("inspector"))}
        </strong>
        <CloseButton aria-label={t("close_inspector")} onClick={onClose} size="var(--hit)" />
      </header>
      {only === undefined && <p className="soft">{t("nothing_selected")}</p>}
      {second !== undefined && <p className="soft">{t("several")}</p>}
      {only !== undefined && second === undefined && <One key={only} picture={only} {...props} />}
    </aside>
  );
}

function One({ project, picture, changes, onOpen, onMended }: Omit<Props, "selected" | "onClose"> & { picture: string }) {
  const { t } = useTranslation("images");
  const [resolution] = useResolution();
  const facts = useGet("/api/projects/{project}/pictures/{picture}", { path: { project, picture }, query: { resolution } });
  return (
    <Loaded of={facts} height={320}>
      {(found) => (
        <>
          <div className={classes.picture}>
            <PictureView facts={found} />
          </div>
          <Group gap="sm">
            <Button size="xs" variant="default" leftSection={<Maximize2 size={14} aria-hidden />} onClick={() => onOpen(picture)}>
              {t("open")}
            </Button>
            <Button size="xs" variant="default" leftSection={<Crop size={14} aria-hidden />} onClick={() => onOpen(picture, "crop")}>
              {t("crop")}
            </Button>
          </Group>
          {found.findings.map((finding) => (
            <FindingCard
              key={finding.code}
              finding={finding}
              busy={changes.busy}
              onMend={async (wanted) => onMended(await changes.mend([{ pictures: subjectsOf(finding, picture), changes: wanted }]))}
            />
          ))}
          <PictureFactsList facts={found} />
        </>
      )}
    </Loaded>
  );
}
