import { useTranslation } from "react-i18next";
import type { Json } from "../../components/fields/json";
import { JobDialog } from "../../components/jobs/JobDialog";
import type { Job } from "../../components/jobs/useJob";
import { Made } from "./Made";
import type { Lora } from "./useLoras";
import { type Made as MadeFile, usePlace } from "./usePlace";

interface Shown {
  first: string[];
  /** What comes out, where the studio proposes where it goes. */
  made?: MadeFile;
  given?: (lora: Lora) => Record<string, Json>;
  usual?: (lora: Lora) => Record<string, Json>;
}

/** What each job on one LoRA asks for, and what stands in its fields at first. */
const JOBS: Record<string, Shown> = {
  resize: {
    first: ["rank", "by", "target", "out"],
    made: "resized",
    given: (lora) => ({ file: lora.file }),
    usual: () => ({ rank: 8 }),
  },
  convert: {
    first: ["to", "out"],
    made: "converted",
    given: (lora) => ({ file: lora.file }),
    usual: () => ({ to: "everywhere" }),
  },
  publish: {
    first: ["name", "description", "author", "license", "base_model", "out", "push"],
    made: "published",
    given: (lora) => ({ source: lora.file }),
    usual: (lora) => ({ description: String(lora.facts.description ?? "") }),
  },
  install: { first: ["into", "subfolder", "way", "name"], given: (lora) => ({ file: lora.file }) },
  extract: { first: ["tuned", "base", "out", "rank"], made: "extracted" },
};

/** A job on a LoRA, as a dialog. */
export function LoraJob({ kind, lora, onClose }: { kind: string; lora?: Lora; onClose: () => void }) {
  const { t } = useTranslation("library");
  const shown = JOBS[kind];
  const place = usePlace(shown?.made, lora);
  if (!shown || place === undefined) return null;
  return (
    <JobDialog
      kind={kind}
      title={lora ? t(`${kind}_this`, { name: lora.name }) : t(kind)}
      draft={lora?.id ?? ""}
      given={lora && shown.given?.(lora)}
      usual={{ ...(place && { out: place }), ...(lora && shown.usual?.(lora)) }}
      first={shown.first}
      made={(job: Job) => <Made job={job} />}
      onClose={onClose}
    />
  );
}
