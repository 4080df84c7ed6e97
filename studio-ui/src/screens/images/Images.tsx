import { Button } from "@mantine/core";
import { ImagePlus, SearchX } from "lucide-react";
import { useEffect, useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import type { Shape } from "../../api/client";
import { useGet } from "../../api/queries";
import { EmptyState } from "../../components/EmptyState";
import type { Finding } from "../../components/filter/FilterField";
import { Gallery } from "../../components/gallery/Gallery";
import { usePictureList } from "../../components/gallery/pictureList";
import { findingName, pictureLook } from "../../components/gallery/pictureLook";
import { usePictures } from "../../components/gallery/usePictures";
import { useSelection } from "../../components/gallery/useSelection";
import { useTileSize } from "../../components/gallery/useTileSize";
import { JobBar } from "../../components/jobs/JobBar";
import { FailedParts } from "../../components/PartFailed";
import { ProjectGone } from "../../components/ProjectGone";
import { sayProblem } from "../../components/say";
import { useKeys } from "../../keys/useKeys";
import { useAddress, useAddressPart } from "../../state/address";
import { usePreferences } from "../../state/preferences";
import { AddPictures } from "../../uploads/AddPictures";
import { DropWindow } from "../../uploads/DropWindow";
import { beginUpload } from "../../uploads/sending";
import { UploadList } from "../../uploads/UploadList";
import { divided } from "./concepts";
import { Duplicates } from "./Duplicates";
import { GridBar, SORTS, type Sort } from "./GridBar";
import classes from "./Images.module.css";
import { Inspector } from "./Inspector";
import { NotMended } from "./NotMended";
import { PathBar } from "./PathBar";
import { pictureAddress } from "./pictureAddress";
import { SelectionBar } from "./SelectionBar";
import { SideList } from "./SideList";
import { useAudit } from "./useAudit";
import { usePictureChanges } from "./usePictureChanges";
import { useResolution } from "./useResolution";

const PLACE_KEPT_AFTER = 400; // milliseconds
const NARROW = 1100; // pixels of the window, up to which the inspector would cover the pictures and is closed at first
const NONE: readonly string[] = [];
const TOLD = new Set(["captions.filter", "dataset.no_folder"]); // problems that stand elsewhere: below the filter, or in place of the pictures

/** A project's pictures, with what is wrong with them and what can be done about it. */
export default function Images() {
  const { t } = useTranslation("images");
  const project = useAddressPart("project");
  const [, go] = useLocation();
  const [q, setQ] = useAddress("q");
  const [concept, setConcept] = useAddress("concept");
  const [finding, setFinding] = useAddress("finding");
  const [sorted, setSort] = useAddress("sort");
  const [view, setView] = useAddress("view");
  const showAll = () => {
    for (const clear of [setQ, setConcept, setFinding]) clear("");
  };
  const sort: Sort = SORTS.find((one) => one === sorted) ?? "name";
  const [size, setSize] = useTileSize();
  const [{ inspector = innerWidth > NARROW, side_list = true }, prefer] = usePreferences();

  const [resolution] = useResolution();
  const asked = useMemo(() => ({ q, concept, finding, sort, resolution }), [q, concept, finding, sort, resolution]);
  const pictures = usePictures(project, asked);
  const everything = usePictureList(project).data?.ids ?? NONE;
  const division = useMemo(() => divided(everything), [everything]);
  const heldOut = useMemo(() => new Set(division.heldOut), [division]);
  const kept = useMemo(() => new Set(division.concepts.flatMap((one) => (one.regularisation ? one.pictures : []))), [division]);
  const { audit, failed: notLookedAt } = useAudit(project, everything.length > 0);
  const duplicates = useGet(
    "/api/projects/{project}/duplicates",
    { path: { project }, query: { resolution } },
    { enabled: audit.data !== undefined },
  );
  const findings = useMemo(() => named(audit.data?.codes ?? []), [audit.data?.codes]);
  const changes = usePictureChanges(project);
  const [at, setAt] = useAddress("at");
  const selecting = useSelection(pictures.ids, at);
  useSoon(selecting.place, setAt);

  const open = (picture: string, tool = "") => go(pictureAddress(project, picture, tool));
  const remove = () => changes.mend([{ pictures: [...selecting.selected], changes: [{ way: "remove", parameters: {} }] }]);
  const allHeldOut = selecting.selected.every((id) => heldOut.has(id));
  const first = selecting.selected[0];
  const toggleHeldOut = async () => selecting.only(await changes.use(selecting.selected, { held_out: !allHeldOut }));
  useKeys({
    h: () => first !== undefined && toggleHeldOut(),
    c: () => first !== undefined && open(first, "crop"),
  });

  const filtered = q !== "" || concept !== "" || finding !== "";
  if (pictures.list.error?.status === 404) return <ProjectGone problem={pictures.list.error} />;
  const empty = pictures.list.error?.code === "dataset.no_folder" || (pictures.list.data?.ids.length === 0 && !filtered);
  return (
    <div className={classes.screen}>
      <DropWindow words={t("drop")} onFiles={(files) => beginUpload(project, files).catch(sayProblem)} />
      <UploadList project={project} />
      {empty ? (
        <EmptyState icon={<ImagePlus size={32} />} action={<AddPictures project={project} />}>
          {t("empty")}
        </EmptyState>
      ) : (
        <>
          <PathBar project={project} count={everything.length} heldOut={heldOut.size} audit={audit.data} changes={changes} />
          <div className={classes.failed}>
            <FailedParts
              parts={{
                ...(!TOLD.has(pictures.list.error?.code ?? "") && { [t("part_list")]: pictures.list }),
                [t("part_details")]: pictures.details,
                [t("part_findings")]: audit,
                [t("part_duplicates")]: duplicates,
              }}
            />
            {changes.failed && <NotMended {...changes.failed} />}
            {changes.job && <JobBar job={changes.job} />}
            {notLookedAt && <JobBar job={notLookedAt} />}
          </div>
          <div
            className={classes.columns}
            data-side={side_list || undefined}
            data-inspector={(inspector && view !== "duplicates") || undefined}
          >
            {side_list && (
              <SideList
                project={project}
                audit={audit}
                division={division}
                changes={changes}
                finding={finding}
                concept={concept}
                onFinding={setFinding}
                onConcept={setConcept}
                onSelect={selecting.only}
              />
            )}
            {view === "duplicates" ? (
              <Duplicates project={project} groups={duplicates} changes={changes} onBack={() => setView("")} onOpen={open} />
            ) : (
              <section className={classes.middle}>
                <GridBar
                  project={project}
                  q={q}
                  onFilter={setQ}
                  problem={pictures.list.error}
                  findings={findings}
                  onFinding={setFinding}
                  sort={sort}
                  onSort={setSort}
                  size={size}
                  onSize={setSize}
                  touch={selecting.touch}
                  onTouch={selecting.setTouch}
                  sideList={side_list}
                  onSideList={(shown) => prefer({ side_list: shown })}
                  inspector={inspector}
                  onInspector={(shown) => prefer({ inspector: shown })}
                  duplicates={duplicates.data?.length ?? 0}
                  onDuplicates={() => setView("duplicates")}
                />
                <Gallery
                  ids={pictures.ids}
                  itemOf={pictures.pictureOf}
                  lookOf={pictureLook}
                  selecting={selecting}
                  label={t("pictures")}
                  size={size}
                  onSize={setSize}
                  onView={pictures.onView}
                  onOpen={open}
                  onRemove={remove}
                >
                  {pictures.list.data && filtered && (
                    <EmptyState
                      icon={<SearchX size={32} />}
                      action={
                        <Button variant="default" onClick={showAll}>
                          {t("filter:clear")}
                        </Button>
                      }
                    >
                      {t("nothing_found")}
                    </EmptyState>
                  )}
                </Gallery>
                <SelectionBar
                  selecting={selecting}
                  changes={changes}
                  heldOut={allHeldOut}
                  regularisation={selecting.selected.every((id) => kept.has(id))}
                  concepts={division.concepts.map(({ name }) => name).filter(Boolean)}
                  onCrop={(picture) => open(picture, "crop")}
                />
              </section>
            )}
            {inspector && view !== "duplicates" && (
              <Inspector
                project={project}
                selected={selecting.selected}
                changes={changes}
                onOpen={open}
                onMended={selecting.only}
                onClose={() => prefer({ inspector: false })}
              />
            )}
          </div>
        </>
      )}
    </div>
  );
}

/** What pictures have, with its name and how many have it, as the filter field completes it. */
function named(codes: readonly Shape<"CodeView">[]): Finding[] {
  const ofPictures = codes.filter(({ of_set }) => of_set === null);
  return ofPictures.map(({ code, pictures }) => ({ code, count: pictures, name: findingName(code) }));
}

/** Tell of a value when it has stood still for a moment: an address that changes with each key is refused by browsers. */
function useSoon(value: string, tell: (value: string) => void): void {
  const now = useRef(tell);
  now.current = tell;
  useEffect(() => {
    const here = location.pathname;
    const timer = setTimeout(() => location.pathname === here && now.current(value), PLACE_KEPT_AFTER); // not while another screen is loading
    return () => clearTimeout(timer);
  }, [value]);
}
