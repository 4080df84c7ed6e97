import { Button, Group, Select, TextInput } from "@mantine/core";
import { FolderCog, RefreshCw, Search, Library as Shelf } from "lucide-react";
import { useCallback, useDeferredValue, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { useGet } from "../../api/queries";
import { EmptyState } from "../../components/EmptyState";
import { ErrorCard } from "../../components/ErrorCard";
import { Gallery } from "../../components/gallery/Gallery";
import { TileSize } from "../../components/gallery/TileSize";
import { useSelection } from "../../components/gallery/useSelection";
import { useTileSize } from "../../components/gallery/useTileSize";
import { Loaded } from "../../components/Loaded";
import { useAddress } from "../../state/address";
import { FoldersDialog } from "./FoldersDialog";
import classes from "./Library.module.css";
import { LoraActions } from "./LoraActions";
import { LoraJob } from "./LoraJob";
import { loraLook } from "./lora";
import { namesOf } from "./names";
import { type Found, type Lora, useFreshLibrary, useLoras } from "./useLoras";

/** All LoRA files of one's folders: found by what is in them, looked at, and made into others. */
export default function Library() {
  const { t } = useTranslation("library");
  const [q, search] = useAddress("q");
  const [family, choose] = useAddress("family");
  const [dialog, show] = useAddress("dialog");
  const wanted = useDeferredValue(q);
  const found = useLoras({ q: wanted, family });
  const folders = useGet("/api/library/folders");
  const families = useGet("/api/recipes").data?.families ?? [];
  const [size, setSize] = useTileSize();
  const { refresh, looking, changes, problem } = useFreshLibrary();
  const unreadable = Object.entries(changes?.unreadable ?? {});
  return (
    <div className={classes.screen}>
      <header className={classes.bar}>
        <h1>{t("title")}</h1>
        <TextInput
          data-filter
          className={classes.search}
          aria-label={t("search")}
          placeholder={t("search_example")}
          leftSection={<Search size={16} aria-hidden />}
          value={q}
          onChange={(event) => search(event.currentTarget.value)}
        />
        <Select
          aria-label={t("family")}
          placeholder={t("all_families")}
          clearable
          w={140}
          data={families}
          value={family || null}
          onChange={(value) => choose(value ?? "")}
        />
        <TileSize size={size} onSize={setSize} />
        <Group gap="sm" ml="auto">
          <Button variant="default" leftSection={<RefreshCw size={16} aria-hidden />} loading={looking} onClick={refresh}>
            {t("refresh")}
          </Button>
          <Button variant="default" leftSection={<FolderCog size={16} aria-hidden />} onClick={() => show("folders")}>
            {t("folders")}
          </Button>
        </Group>
      </header>
      {problem !== undefined && <ErrorCard problem={problem} onAgain={refresh} />}
      {unreadable.map(([folder, reason]) => (
        <p key={folder} className={classes.warning} role="status">
          {t("unreadable", { folder, reason })}
        </p>
      ))}
      <Loaded of={found} height="60vh">
        {(all) => (
          <Shelves
            found={all}
            size={size}
            onSize={setSize}
            filtered={q !== "" || family !== ""}
            noFolders={folders.data?.folders.length === 0}
            onFolders={() => show("folders")}
            onExtract={() => show("extract")}
          />
        )}
      </Loaded>
      {dialog === "extract" && <LoraJob kind="extract" onClose={() => show("")} />}
      {dialog === "folders" && <FoldersDialog onClose={() => show("")} />}
    </div>
  );
}

interface ShelvesProps {
  found: Found;
  size: number;
  onSize: (size: number) => void;
  filtered: boolean;
  noFolders: boolean;
  onFolders: () => void;
  onExtract: () => void;
}

function Shelves({ found, size, onSize, filtered, noFolders, onFolders, onExtract }: ShelvesProps) {
  const { t } = useTranslation("library");
  const [, go] = useLocation();
  const byId = useMemo(() => new Map(found.loras.map((lora) => [lora.id, lora])), [found]);
  const ids = useMemo(() => [...byId.keys()], [byId]);
  const names = useMemo(() => namesOf(found.loras), [found]);
  const lookOf = useCallback((lora: Lora) => loraLook(lora, names.get(lora.id)), [names]);
  const selecting = useSelection(ids);
  const selected = selecting.selected.map((id) => byId.get(id)).filter((lora): lora is Lora => lora !== undefined);
  if (noFolders) {
    return (
      <EmptyState icon={<Shelf size={32} />} action={<Button onClick={onFolders}>{t("add_a_folder")}</Button>}>
        {t("no_folders")}
      </EmptyState>
    );
  }
  return (
    <>
      <div className={classes.count}>
        <p role="status">
          {t("count", { count: found.loras.length })} {found.notes.join(" ")}
        </p>
        <Button size="compact-xs" variant="subtle" onClick={onExtract}>
          {t("extract")}
        </Button>
      </div>
      <div className={classes.shelf}>
        <Gallery
          ids={ids}
          itemOf={(id) => byId.get(id)}
          lookOf={lookOf}
          selecting={selecting}
          label={t("title")}
          size={size}
          onSize={onSize}
          layout="named"
          onOpen={(id) => go(`/library/${id}`)}
        >
          <EmptyState icon={<Shelf size={32} />}>{t(filtered ? "none_found" : "none")}</EmptyState>
        </Gallery>
      </div>
      <LoraActions loras={selected} onOpen={(lora) => go(`/library/${lora.id}`)} />
    </>
  );
}
