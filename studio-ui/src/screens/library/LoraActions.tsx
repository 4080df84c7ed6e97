import { Button } from "@mantine/core";
import { Combine, FileDiff, FolderOutput, Move3d, PackageOpen, Scaling, Shapes, Upload } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { useAddress } from "../../state/address";
import { usesAs } from "../playground/uses";
import { CompareDialog } from "./CompareDialog";
import classes from "./LoraActions.module.css";
import { LoraJob } from "./LoraJob";
import { MergeDialog } from "./MergeDialog";
import type { Lora } from "./useLoras";

/** What can be made of one LoRA, by the name of the job. */
const OF_ONE = [
  { kind: "resize", icon: Scaling },
  { kind: "convert", icon: Move3d },
  { kind: "publish", icon: Upload },
  { kind: "install", icon: FolderOutput },
] as const;

/** What can be done with the LoRAs that are selected. */
export function LoraActions({ loras, onOpen }: { loras: Lora[]; onOpen?: (lora: Lora) => void }) {
  const { t } = useTranslation("library");
  const [, go] = useLocation();
  const [dialog, show] = useAddress("dialog");
  const [one] = loras;
  const close = () => show("");
  const single = loras.length === 1 ? one : undefined;
  return (
    <div className={classes.bar} role="toolbar" aria-label={t("actions")}>
      <span className="soft">{loras.length > 1 ? t("selected", { count: loras.length }) : (one?.name ?? t("select_some"))}</span>
      {onOpen && (
        <Button size="xs" leftSection={<PackageOpen size={14} aria-hidden />} disabled={!single} onClick={() => single && onOpen(single)}>
          {t("open")}
        </Button>
      )}
      <Button
        size="xs"
        variant="default"
        leftSection={<Shapes size={14} aria-hidden />}
        disabled={loras.length === 0}
        onClick={() => go(playgroundOf(loras))}
      >
        {t("try")}
      </Button>
      <Button
        size="xs"
        variant="default"
        leftSection={<FileDiff size={14} aria-hidden />}
        disabled={loras.length < 2}
        onClick={() => show("compare")}
      >
        {t("compare")}
      </Button>
      <Button
        size="xs"
        variant="default"
        leftSection={<Combine size={14} aria-hidden />}
        disabled={loras.length === 0}
        onClick={() => show("merge")}
      >
        {t("merge")}
      </Button>
      {OF_ONE.map(({ kind, icon: Icon }) => (
        <Button
          key={kind}
          size="xs"
          variant="default"
          leftSection={<Icon size={14} aria-hidden />}
          disabled={!single}
          onClick={() => show(kind)}
        >
          {t(kind)}
        </Button>
      ))}
      {dialog === "compare" && loras.length > 1 && <CompareDialog loras={loras} onClose={close} />}
      {dialog === "merge" && loras.length > 0 && <MergeDialog loras={loras} onClose={close} />}
      {single && OF_ONE.some(({ kind }) => kind === dialog) && <LoraJob kind={dialog} lora={single} onClose={close} />}
    </div>
  );
}

function playgroundOf(loras: Lora[]): string {
  return `/playground?lora=${encodeURIComponent(usesAs(loras.map(({ file }) => ({ lora: file, weight: 1 }))))}`;
}
