import { useTranslation } from "react-i18next";
import { useParams } from "wouter";
import { Gallery } from "../../components/gallery/Gallery";
import { pictureLook } from "../../components/gallery/pictureLook";
import { TileSize } from "../../components/gallery/TileSize";
import { usePictures } from "../../components/gallery/usePictures";
import { useSelection } from "../../components/gallery/useSelection";
import { useTileSize } from "../../components/gallery/useTileSize";
import { Loaded } from "../../components/Loaded";
import { sayProblem } from "../../components/say";
import { DropWindow } from "../../uploads/DropWindow";
import { beginUpload } from "../../uploads/sending";
import { UploadList } from "../../uploads/UploadList";
import classes from "./Images.module.css";

const EVERYTHING = {};

/** A project's pictures, with what is wrong with them and what can be done about it. */
export default function Images() {
  const { t } = useTranslation("images");
  const { project } = useParams<{ project: string }>();
  const [size, setSize] = useTileSize();
  const pictures = usePictures(project, EVERYTHING);
  const selecting = useSelection(pictures.ids);
  return (
    <div className={classes.screen}>
      <DropWindow words={t("drop")} onFiles={(files) => beginUpload(project, files).catch(sayProblem)} />
      <UploadList project={project} />
      <header className={classes.bar}>
        <TileSize size={size} onSize={setSize} />
      </header>
      <Loaded of={pictures.list}>
        {({ ids }) => (
          <Gallery
            ids={ids}
            itemOf={pictures.pictureOf}
            lookOf={pictureLook}
            selecting={selecting}
            label={t("pictures")}
            size={size}
            onSize={setSize}
            onView={pictures.onView}
          />
        )}
      </Loaded>
    </div>
  );
}
