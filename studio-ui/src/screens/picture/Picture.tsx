import { Button } from "@mantine/core";
import { ImageOff } from "lucide-react";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "wouter";
import { useGet } from "../../api/queries";
import { EmptyState } from "../../components/EmptyState";
import { usePictureList, useWatchOfPictures } from "../../components/gallery/pictureList";
import { JobBar } from "../../components/jobs/JobBar";
import { Loaded } from "../../components/Loaded";
import { useAddress, useAddressPart } from "../../state/address";
import { pictureAddress, pictureAt, renamedTo } from "../images/pictureAddress";
import { usePictureChanges } from "../images/usePictureChanges";
import classes from "./Picture.module.css";
import { PictureTools } from "./PictureTools";
import { isTool } from "./tool";

/** One picture: cropped, erased in parts, split, flipped, turned, mended; before and after; what was done to it. */
export default function Picture() {
  const { t } = useTranslation("picture");
  const project = useAddressPart("project");
  const [, go] = useLocation();
  const picture = pictureAt(location.pathname);
  const [tool] = useAddress("tool");
  const facts = useGet("/api/projects/{project}/pictures/{picture}", { path: { project, picture } });
  const list = usePictureList(project).data;
  const ids = list?.ids ?? [];
  useWatchOfPictures(project, list?.version);
  const changes = usePictureChanges(project);

  const at = ids.indexOf(picture);
  const grid = `/projects/${encodeURIComponent(project)}/images?at=${encodeURIComponent(picture)}`;
  const open = (id: string | undefined, tool = "") => id !== undefined && go(pictureAddress(project, id, tool), { replace: true });

  const gone = facts.error?.status === 404;
  const renamed = gone ? renamedTo(picture, ids) : undefined;
  useEffect(() => {
    if (renamed !== undefined) go(pictureAddress(project, renamed), { replace: true });
  }, [renamed, project, go]);

  if (gone) {
    return (
      <EmptyState
        icon={<ImageOff size={32} />}
        action={
          <Button component={Link} href={grid}>
            {t("to_grid")}
          </Button>
        }
      >
        {t("gone", { picture })}
      </EmptyState>
    );
  }
  return (
    <div className={classes.screen}>
      {changes.job && <JobBar job={changes.job} />}
      <Loaded of={facts} height="100%">
        {(found) => (
          <PictureTools
            key={found.id}
            project={project}
            facts={found}
            tool={isTool(tool) ? tool : ""}
            changes={changes}
            onTool={(next) => open(picture, next)}
            onOpen={open}
            onGrid={() => go(grid)}
            previous={ids[at - 1]}
            next={at < 0 ? undefined : ids[at + 1]}
            place={at < 0 ? "" : t("place", { at: at + 1, of: ids.length })}
          />
        )}
      </Loaded>
    </div>
  );
}
