import { NumberInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { JobDialog } from "../../components/jobs/JobDialog";
import { useDraft } from "../../state/draft";
import { Made } from "./Made";
import classes from "./MergeDialog.module.css";
import { namesOf } from "./names";
import type { Lora } from "./useLoras";
import { usePlace } from "./usePlace";

const STEP = 0.05;

/** Several LoRAs become one, or become part of a base; each counts as much as its ratio says. */
export function MergeDialog({ loras, onClose }: { loras: Lora[]; onClose: () => void }) {
  const { t } = useTranslation("library");
  const key = loras.map((lora) => lora.id).join(",");
  const [ratios, setRatios] = useDraft<Record<string, number>>(`merge:${key}`, {});
  const place = usePlace("merged", loras[0]);
  const ratioOf = (lora: Lora) => ratios[lora.id] ?? 1;
  if (place === undefined) return null;
  return (
    <JobDialog
      kind="merge"
      title={t("merge_these", { count: loras.length })}
      draft={key}
      given={{ files: loras.map((lora) => ({ file: lora.file, strength: ratioOf(lora) })) }}
      usual={{ out: place }}
      first={["out", "rank", "method", "into"]}
      made={(job) => <Made job={job} />}
      onClose={onClose}
    >
      <ul className={classes.files}>
        {loras.map((lora) => (
          <li key={lora.id}>
            <label htmlFor={`ratio-${lora.id}`}>{namesOf(loras).get(lora.id)}</label>
            <NumberInput
              id={`ratio-${lora.id}`}
              w={110}
              step={STEP}
              decimalScale={3}
              value={ratioOf(lora)}
              onChange={(value) => typeof value === "number" && setRatios((before) => ({ ...before, [lora.id]: value }))}
            />
          </li>
        ))}
      </ul>
    </JobDialog>
  );
}
