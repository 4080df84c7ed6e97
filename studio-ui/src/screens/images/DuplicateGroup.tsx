import { Button } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { useGet } from "../../api/queries";
import { bytes } from "../../components/format";
import { StudioImage } from "../../components/image/StudioImage";
import { Loaded } from "../../components/Loaded";
import { wayName } from "../../components/ways";
import { useFindingWords } from "../../words/findingWords";
import classes from "./Duplicates.module.css";
import { largePicture } from "./largePicture";
import { useResolution } from "./useResolution";

interface Props {
  project: string;
  group: Shape<"DuplicateGroup">;
  busy: boolean;
  onKeepBest: () => void;
  onKeep: (picture: string) => void;
  onOpen: (picture: string) => void;
}

/** Pictures that show the same. While the pointer is on a copy, it is shown as what differs from the one to keep. */
export function DuplicateGroup({ project, group, busy, onKeepBest, onKeep, onOpen }: Props) {
  const { t } = useTranslation("images");
  const { messageOf } = useFindingWords();
  const [kept, ...others] = group.pictures;
  if (kept === undefined) return null;
  return (
    <article className={classes.group}>
      <header className={classes.bar}>
        <h3>{messageOf(group.code, group.message)}</h3>
        <Button size="xs" variant="light" loading={busy} onClick={onKeepBest}>
          {wayName("duplicates")}
        </Button>
      </header>
      <div className={classes.copies}>
        <Copy project={project} picture={kept} best onKeep={onKeep} onOpen={onOpen} />
        {others.map((picture) => (
          <Copy key={picture} project={project} picture={picture} against={kept} onKeep={onKeep} onOpen={onOpen} />
        ))}
      </div>
      <p className="soft small">{t("why_kept")}</p>
    </article>
  );
}

interface CopyProps {
  project: string;
  picture: string;
  best?: boolean;
  against?: string;
  onKeep: (picture: string) => void;
  onOpen: (picture: string) => void;
}

function Copy({ project, picture, best, against, onKeep, onOpen }: CopyProps) {
  const { t } = useTranslation("images");
  const [comparing, compare] = useState(false);
  const [resolution] = useResolution();
  const facts = useGet("/api/projects/{project}/pictures/{picture}", { path: { project, picture }, query: { resolution } });
  const other = useGet(
    "/api/projects/{project}/pictures/{picture}",
    { path: { project, picture: against ?? "" }, query: { resolution } },
    { enabled: against !== undefined },
  );
  return (
    <figure className={classes.copy} data-best={best || undefined}>
      <Loaded of={facts} height={220}>
        {(found) => (
          <>
            <button
              type="button"
              className={classes.pictures}
              onClick={() => onOpen(picture)}
              onPointerEnter={() => compare(true)}
              onPointerLeave={() => compare(false)}
              onFocus={() => compare(true)}
              onBlur={() => compare(false)}
              aria-label={picture}
            >
              <StudioImage src={largePicture(found)} alt="" />
              {comparing && against && <StudioImage src={other.data && largePicture(other.data)} alt="" className={classes.difference} />}
            </button>
            <figcaption>
              <strong className={classes.name}>{picture}</strong>
              <span className="soft small">
                {found.width} × {found.height}, {bytes(found.bytes)}
                {found.text && `, ${t("has_caption")}`}
              </span>
              {best ? (
                <span className={classes.best}>{t("kept")}</span>
              ) : (
                <Button size="compact-xs" variant="default" onClick={() => onKeep(picture)}>
                  {t("keep_this")}
                </Button>
              )}
            </figcaption>
          </>
        )}
      </Loaded>
    </figure>
  );
}
