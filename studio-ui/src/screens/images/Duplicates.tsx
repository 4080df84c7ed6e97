import { Button } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { ArrowLeft, Copy } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import type { Problem } from "../../api/problem";
import { EmptyState } from "../../components/EmptyState";
import { Loaded } from "../../components/Loaded";
import { DuplicateGroup } from "./DuplicateGroup";
import classes from "./Duplicates.module.css";
import type { PictureChanges } from "./usePictureChanges";

interface Props {
  project: string;
  groups: UseQueryResult<Shape<"DuplicateGroup">[], Problem>;
  changes: PictureChanges;
  onBack: () => void;
  onOpen: (picture: string) => void;
}

/** Pictures that show the same, side by side, with the one to keep first. */
export function Duplicates({ project, groups, changes, onBack, onOpen }: Props) {
  const { t } = useTranslation("images");
  const keepBest = (wanted: readonly Shape<"DuplicateGroup">[]) =>
    changes.mend([{ pictures: wanted.flatMap(({ pictures }) => pictures), changes: [{ way: "duplicates", parameters: {} }] }]);
  return (
    <section className={classes.view}>
      <header className={classes.bar}>
        <Button size="sm" variant="default" leftSection={<ArrowLeft size={14} aria-hidden />} onClick={onBack}>
          {t("back_to_grid")}
        </Button>
        {groups.data && groups.data.length > 0 && (
          <Button size="sm" loading={changes.busy} onClick={() => keepBest(groups.data)}>
            {t("keep_best_of_all", { count: groups.data.length })}
          </Button>
        )}
      </header>
      <div className={classes.groups}>
        <Loaded of={groups}>
          {(all) =>
            all.length === 0 ? (
              <EmptyState icon={<Copy size={32} />}>{t("no_duplicates")}</EmptyState>
            ) : (
              all.map((group) => (
                <DuplicateGroup
                  key={group.pictures.join("\n")}
                  project={project}
                  group={group}
                  busy={changes.busy}
                  onKeepBest={() => keepBest([group])}
                  onKeep={(kept) => {
                    const others = group.pictures.filter((picture) => picture !== kept);
                    changes.mend([{ pictures: others, changes: [{ way: "remove", parameters: {} }] }]);
                  }}
                  onOpen={onOpen}
                />
              ))
            )
          }
        </Loaded>
      </div>
    </section>
  );
}
