import { useTranslation } from "react-i18next";
import type { Json } from "../../components/fields/json";
import { JobDialog } from "../../components/jobs/JobDialog";
import type { Job } from "../../components/jobs/useJob";
import { beside } from "./lora";
import { Made } from "./Made";
import type { Lora } from "./useLoras";

interface Shown {
  first: string[];
  given?: (lora: Lora) => Record<string, Json>;
  usual?: (lora: Lora) => Record<string, Json>;
}

/** What each job on one LoRA asks for, and what stands in its fields at first. */
const JOBS: Record<string, Shown> = {
  resize: {
    first: ["rank", "by", "target", "out"],
    given: (lora) => ({ file: lora.file }),
    usual: (lora) => ({ rank: 8, out: beside(lora.file, "resized") }),
  },
  convert: {
    first: ["to", "out"],
    given: (lora) => ({ file: lora.file }),
    usual: (lora) => ({ to: "everywhere", out: beside(lora.file, "converted") }),
  },
  publish: {
    first: ["name", "description", "author", "license", "base_model", "out", "push"],
    given: (lora) => ({ source: lora.file }),
    usual: (lora) => ({ out: `publish/${lora.name}`, description: String(lora.facts.description ?? "") }),
  },
  install: { first: ["into", "subfolder", "way", "name"], given: (lora) => ({ file: lora.file }) },
  extract: { first: ["tuned", "base", "out", "rank"], usual: () => ({ out: "loras/extracted.safetensors" }) },
};

/** A job on a LoRA, as a dialog. */
export function LoraJob({ kind, lora, onClose }: { kind: string; lora?: Lora; onClose: () => void }) {
  const { t } = useTranslation("library");
  const shown = JOBS[kind];
  if (!shown) return null;
  return (
    <JobDialog
      kind={kind}
      title={lora ? t(`${kind}_this`, { name: lora.name }) : t(kind)}
      draft={lora?.id ?? ""}
      given={lora && shown.given?.(lora)}
      usual={shown.usual && (lora ? shown.usual(lora) : shown.usual({} as Lora))}
      first={shown.first}
      made={(job: Job) => <Made job={job} />}
      onClose={onClose}
    />
  );
}
