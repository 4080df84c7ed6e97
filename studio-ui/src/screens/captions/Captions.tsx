import { ActionIcon, Button, Indicator, Tooltip } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { ArrowRight, History, Images as ImagesIcon, Lightbulb, ListFilter, PencilLine, Tags } from "lucide-react";
import { useCallback, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useGet } from "../../api/queries";
import { EmptyState } from "../../components/EmptyState";
import { FilterField } from "../../components/filter/FilterField";
import { usePictures } from "../../components/gallery/usePictures";
import { type Selecting, useSelection } from "../../components/gallery/useSelection";
import { Loaded } from "../../components/Loaded";
import { FailedParts } from "../../components/PartFailed";
import { ProjectGone } from "../../components/ProjectGone";
import { useNews } from "../../events/news";
import type { Told } from "../../events/stream";
import { useProjectId } from "../../frame/project";
import { useAddress } from "../../state/address";
import { keepDraft } from "../../state/draft";
import { usePreferences } from "../../state/preferences";
import { AdviceDialog } from "./AdviceDialog";
import classes from "./Captions.module.css";
import { draftOfEdit, EditDialog } from "./edits/EditDialog";
import type { Wanted } from "./edits/wanted";
import { EncodingsDialog } from "./encodings/EncodingsDialog";
import { NotUtf8 } from "./encodings/NotUtf8";
import { FirstTags } from "./FirstTags";
import { FrequencyList } from "./FrequencyList";
import { filterOf } from "./filter";
import { HistoryDialog } from "./HistoryDialog";
import { LabelDialog } from "./labels/LabelDialog";
import { PictureList } from "./PictureList";
import { TriggerField } from "./TriggerField";
import { TriggerProposal } from "./trigger/TriggerProposal";
import { taggerWasRun } from "./useTagger";
import { Workplace } from "./Workplace";

const MOST_TAGS = 10_000;

/** The captions of a project: which picture on the left, the picture and its caption in the middle, all tags on the right. */
export default function Captions() {
  const { t } = useTranslation("captions");
  const project = useProjectId();
  const params = { path: { project } };
  const [q, setQ] = useAddress("q");
  const [at, setAt] = useAddress("at");
  const [dialog, setDialog] = useAddress("dialog");
  const [preferences, prefer] = usePreferences();
  const pictures = usePictures(project, { q });
  const { ids, list } = pictures;
  const selecting = useSelection(ids, at);
  const current = useCurrent(ids, at, setAt, selecting);
  const tags = useGet("/api/projects/{project}/tags", { ...params, query: { count: MOST_TAGS } });
  const trigger = useGet("/api/projects/{project}/trigger", params);
  const { data: owner } = useGet("/api/projects/{project}", params);
  const advice = useGet("/api/projects/{project}/advice", params);
  useTaggerNews(project);

  const showTags = preferences.tag_list !== false;
  const names = tags.data?.map((one) => one.tag) ?? [];

  function edit(wanted: Wanted): void {
    keepDraft(draftOfEdit(project), wanted);
    setDialog("edit");
  }

  if (list.error?.status === 404) return <ProjectGone problem={list.error} />;
  if (list.data && ids.length === 0 && q === "") {
    return (
      <EmptyState
        icon={<ImagesIcon size={32} />}
        action={
          <Button component={Link} href={`/projects/${encodeURIComponent(project)}/images`}>
            {t("to_images")}
          </Button>
        }
      >
        {t("no_pictures")}
      </EmptyState>
    );
  }

  return (
    <div className={classes.captions} data-tags={showTags || undefined}>
      <header className={classes.bar}>
        <div className={classes.filter}>
          <FilterField project={project} filter={q} onFilter={setQ} problem={list.error} />
        </div>
        {trigger.data && <TriggerField key={trigger.data.triggers.join(", ")} project={project} told={trigger.data} />}
        <Button variant="default" leftSection={<Tags size={16} aria-hidden />} onClick={() => setDialog("label")}>
          {t("auto_label")}
        </Button>
        <Button variant="default" leftSection={<PencilLine size={16} aria-hidden />} onClick={() => setDialog("edit")}>
          {t("edit_many")}
        </Button>
        <Indicator label={advice.data?.length} disabled={!advice.data?.length} size={16} offset={4}>
          <BarIcon words={t("advice")} icon={<Lightbulb size={16} />} onClick={() => setDialog("advice")} />
        </Indicator>
        <BarIcon words={t("history")} icon={<History size={16} />} onClick={() => setDialog("history")} />
        <BarIcon words={t("tag_list")} icon={<ListFilter size={16} />} pressed={showTags} onClick={() => prefer({ tag_list: !showTags })} />
        <span className={classes.gap} />
        <Button
          component={Link}
          href={`/projects/${encodeURIComponent(project)}/train`}
          rightSection={<ArrowRight size={16} aria-hidden />}
        >
          {t("to_train")}
        </Button>
        <NotUtf8 advice={advice.data ?? []} onConvert={() => setDialog("encodings")} />
        <FirstTags project={project} onLabel={() => setDialog("label")} />
        {owner && owner.kind !== "style" && trigger.data?.triggers.length === 0 && <TriggerProposal key={project} project={owner} />}
        <FailedParts
          parts={{
            ...(list.error?.code !== "captions.filter" && { [t("part_list")]: list }),
            [t("part_details")]: pictures.details,
            [t("part_trigger")]: trigger,
            [t("part_advice")]: advice,
          }}
        />
      </header>
      <PictureList pictures={pictures} selecting={selecting} triggers={trigger.data?.triggers ?? []} onUnfilter={() => setQ("")} />
      <Workplace
        project={project}
        ids={ids}
        current={current}
        picture={pictures.pictureOf(current)}
        triggers={trigger.data?.triggers ?? []}
        tags={tags.data ?? []}
        onGo={selecting.choose}
        onConvert={() => setDialog("encodings")}
      />
      {showTags && (
        <aside className={classes.tags}>
          <Loaded of={tags}>{(all) => <FrequencyList tags={all} filter={q} onFilter={setQ} onEdit={edit} />}</Loaded>
        </aside>
      )}
      {dialog === "label" && (
        <LabelDialog
          project={project}
          triggers={trigger.data?.triggers ?? []}
          filter={q}
          selected={selecting.selected}
          tags={names}
          onClose={() => setDialog("")}
        />
      )}
      {dialog === "edit" && (
        <EditDialog project={project} filter={q} selected={selecting.selected} tags={names} onClose={() => setDialog("")} />
      )}
      {dialog === "advice" && (
        <AdviceDialog
          project={project}
          onShow={(captions) => {
            setQ(filterOf(captions));
            setDialog("");
          }}
          onConvert={() => setDialog("encodings")}
          onClose={() => setDialog("")}
        />
      )}
      {dialog === "encodings" && <EncodingsDialog project={project} onClose={() => setDialog("")} />}
      {dialog === "history" && <HistoryDialog project={project} onClose={() => setDialog("")} />}
    </div>
  );
}

function BarIcon({ words, icon, pressed, onClick }: { words: string; icon: React.ReactNode; pressed?: boolean; onClick: () => void }) {
  return (
    <Tooltip label={words}>
      <ActionIcon className={classes.icon} variant="default" size={36} aria-label={words} aria-pressed={pressed} onClick={onClick}>
        {icon}
      </ActionIcon>
    </Tooltip>
  );
}

/** The picture that is worked on: the one in the address, which follows the list, or else the first one. It stays when a filter hides it. */
function useCurrent(ids: readonly string[], at: string, setAt: (at: string) => void, { place, chosen, choose }: Selecting): string {
  const last = useRef(place);
  const first = ids[0];
  useEffect(() => {
    if (place && place !== last.current) setAt(place);
    last.current = place || last.current;
  }, [place, setAt]);
  const shown = at || first || "";
  const nothing = chosen.size === 0;
  useEffect(() => {
    if (nothing && shown) choose(shown);
  }, [nothing, shown, choose]);
  return shown;
}

/** What taggers said is asked for again when one has run. */
function useTaggerNews(project: string): void {
  const client = useQueryClient();
  useNews(
    useCallback(
      (message: Told) => {
        if (message.topic === "job" && message.data.ended && message.data.project === project) taggerWasRun(client);
      },
      [client, project],
    ),
  );
}
