import { ActionIcon, Button, NativeSelect, NumberInput, Select, Textarea, TextInput } from "@mantine/core";
import { Dices, Plus, Trash2 } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { BaseField } from "../../components/bases/BaseField";
import { sectionsOf } from "../../components/fields/schema";
import { namesOf } from "../library/names";
import type { Lora } from "../library/useLoras";
import type { Picture } from "./drawing";
import classes from "./Playground.module.css";
import { meantBy, type Use } from "./uses";

const LARGEST_SEED = 2 ** 32;
const WEIGHT_STEP = 0.05;

interface Props {
  picture: Picture;
  onChange: (changed: Partial<Picture>) => void;
  uses: Use[];
  onUses: (uses: Use[]) => void;
  /** The library's; undefined until it is known. */
  library: Lora[] | undefined;
}

/** What is to be generated: base, LoRAs with their weights, prompt, seed and sampler. */
export function PictureForm({ picture, onChange, uses, onUses, library }: Props) {
  const { t } = useTranslation("playground");
  const samplers = useSamplers();
  const loras = useMemo(() => listed(library ?? []), [library]);
  const numbers = [
    ["steps", 1],
    ["cfg", 1],
    ["width", 8],
    ["height", 8],
  ] as const;
  return (
    <>
      <BaseField label={t("base")} value={picture.base} onChange={(base) => onChange({ base })} />
      <fieldset className={classes.uses}>
        <legend>{t("loras")}</legend>
        {uses.map((use, at) => {
          const { file, problem } = meantBy(use, library);
          const shown = file ?? use.lora;
          const listedAs = loras.find(({ value }) => value === shown);
          const name = listedAs?.label ?? shown;
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: the same LoRA may be in use twice
            <div key={at} className={classes.use}>
              <Select
                aria-label={t("lora_nr", { count: at + 1 })}
                data={listedAs || shown === "" ? loras : [{ value: shown, label: shown }, ...loras]}
                value={shown || null}
                searchable
                placeholder={t("choose_lora")}
                error={problem && t(problem)}
                onChange={(lora) => onUses(uses.with(at, { ...use, lora: lora ?? "" }))}
              />
              <NumberInput
                aria-label={t("weight_of", { name })}
                step={WEIGHT_STEP}
                decimalScale={3}
                value={use.weight}
                onChange={(weight) => typeof weight === "number" && onUses(uses.with(at, { ...use, weight }))}
              />
              <ActionIcon
                variant="subtle"
                color="gray"
                size="var(--hit)"
                aria-label={t("remove_lora", { name })}
                onClick={() => onUses(uses.filter((_, other) => other !== at))}
              >
                <Trash2 size={16} />
              </ActionIcon>
            </div>
          );
        })}
        <Button
          size="xs"
          variant="default"
          leftSection={<Plus size={14} aria-hidden />}
          onClick={() => onUses([...uses, { lora: loras[0]?.value ?? "", weight: 1 }])}
        >
          {t("add_lora")}
        </Button>
      </fieldset>
      <Textarea
        label={t("prompt")}
        autosize
        minRows={3}
        maxRows={8}
        value={picture.prompt}
        onChange={(event) => onChange({ prompt: event.currentTarget.value })}
      />
      <TextInput label={t("negative")} value={picture.negative} onChange={(event) => onChange({ negative: event.currentTarget.value })} />
      <div className={classes.seed}>
        <NumberInput
          label={t("seed")}
          min={0}
          allowDecimal={false}
          value={picture.seed}
          onChange={(seed) => typeof seed === "number" && onChange({ seed })}
        />
        <ActionIcon
          variant="default"
          size={36}
          aria-label={t("other_seed")}
          onClick={() => onChange({ seed: Math.floor(Math.random() * LARGEST_SEED) })}
        >
          <Dices size={18} />
        </ActionIcon>
        <NativeSelect
          label={t("sampler")}
          value={picture.sampler}
          onChange={(event) => onChange({ sampler: event.currentTarget.value })}
          data={[{ value: "", label: t("usual") }, ...samplers]}
        />
      </div>
      <details>
        <summary className={classes.summary}>{t("more")}</summary>
        <div className={classes.numbers}>
          {numbers.map(([name, least]) => (
            <NumberInput
              key={name}
              label={t(name)}
              min={least}
              placeholder={t("usual")}
              value={picture[name] ?? ""}
              onChange={(value) => onChange({ [name]: typeof value === "number" ? value : null })}
            />
          ))}
        </div>
      </details>
    </>
  );
}

/** The library as a list to choose from: by path, called by what tells equal names apart. */
function listed(library: Lora[]): { value: string; label: string }[] {
  const names = namesOf(library);
  return library.map(({ id, name, file }) => ({ value: file, label: names.get(id) ?? name }));
}

function useSamplers(): string[] {
  const { data } = useGet("/api/settings/schema", undefined, { staleTime: Number.POSITIVE_INFINITY });
  if (!data) return [];
  const samples = sectionsOf(data, 0).find((section) => section.name === "samples");
  return samples?.fields.find((field) => field.name === "samples.sampler")?.choices ?? [];
}
