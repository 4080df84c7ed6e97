import { Button, NativeSelect, SegmentedControl, Select, Switch, TextInput } from "@mantine/core";
import { Layers } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { api, ask } from "../../../api/client";
import { useGet } from "../../../api/queries";
import { useSections } from "../../../components/fields/inLanguage";
import type { Field, Section } from "../../../components/fields/schema";
import { found } from "../../../components/fields/search";
import { Loaded } from "../../../components/Loaded";
import { RayField } from "../../../components/RayField";
import { sayProblem } from "../../../components/say";
import { type Tree, valueAt } from "../tree";
import type { Training } from "../useTraining";
import type { SweepToBe } from "./useSweep";
import classes from "./Vary.module.css";
import { VaryRow } from "./VaryRow";
import { draftOf, newRow, type Row, type Search, type SweepDraft } from "./vary";

const SEARCHES: Search[] = ["grid", "random", "tpe"];
const EFFORTS = ["quick", "standard", "thorough"] as const;

interface Props {
  training: Training;
  sweep: SweepToBe;
}

/** What varies in a sweep and how it is searched: any setting, found by its real name. */
export function VaryForm(props: Props) {
  const schema = useGet("/api/settings/schema", undefined, { staleTime: Number.POSITIVE_INFINITY });
  return (
    <Loaded of={schema} height={400}>
      {(schema) => <Form {...props} schema={schema} />}
    </Loaded>
  );
}

function Form({ training, sweep, schema }: Props & { schema: unknown }) {
  const { t } = useTranslation("sweeps");
  const { draft, change, problem } = sweep;
  const folders = valueAt(training.settings, "datasets");
  const count = Array.isArray(folders) ? folders.length : 0;
  const all = useSections(schema, count);
  const sections = useMemo(() => all.filter((section) => section.name !== ""), [all]);
  const fields = useMemo(() => new Map(sections.flatMap((section) => section.fields).map((field) => [field.name, field])), [sections]);
  const place = problem?.told.place ?? undefined;

  function put(at: number, row: Row | undefined): void {
    change((before) => ({ ...before, rows: before.rows.flatMap((each, index) => (index === at ? (row ? [row] : []) : [each])) }));
  }

  function takeLadder(): void {
    ask(api.POST("/api/sweep-plans:ladder", { body: { settings: training.settings } }))
      .then((ladder) => change((before) => draftOf(ladder.sweep as Tree, before)))
      .catch(sayProblem);
  }

  return (
    <div className={classes.form}>
      <section aria-labelledby="what-varies">
        <h2 id="what-varies">{t("what_varies")}</h2>
        <p className="soft small">{t("what_varies_says")}</p>
        {draft.rows.map((row, at) => (
          <VaryRow
            key={row.names.join()}
            row={row}
            field={fields.get(row.names[0] ?? "")}
            others={[...fields.keys()].filter((name) => !draft.rows.some(({ names }) => names.includes(name)))}
            problem={place !== undefined && row.names.includes(place) ? problem?.message : undefined}
            onChange={(next) => put(at, next)}
            onRemove={() => put(at, undefined)}
          />
        ))}
        <div className={classes.add}>
          <AddSetting
            sections={sections}
            taken={draft.rows.flatMap(({ names }) => names)}
            onAdd={(name) => change((before) => ({ ...before, rows: [...before.rows, newRow(name, valueAt(training.settings, name))] }))}
          />
          <Button variant="default" leftSection={<Layers size={16} aria-hidden />} onClick={takeLadder}>
            {t("take_ladder")}
          </Button>
        </div>
      </section>
      <Searching draft={draft} change={change} name={sweep.folder} place={place} message={problem?.message} taken={training.taken} />
    </div>
  );
}

interface AddProps {
  sections: Section[];
  taken: string[];
  onAdd: (name: string) => void;
}

function AddSetting({ sections, taken, onAdd }: AddProps) {
  const { t } = useTranslation("sweeps");
  const data = sections
    .flatMap((section) => section.fields)
    .filter((field) => !taken.includes(field.name))
    .map((field: Field) => ({ value: field.name, label: `${field.name} · ${field.label}` }));
  return (
    <Select
      className={classes.grow}
      label={t("add_setting")}
      placeholder={t("train:search_example")}
      data={data}
      value={null}
      searchable
      limit={40}
      nothingFoundMessage={t("nothing_found")}
      filter={({ search, options }) => {
        const fitting = new Set(found(sections, search).flatMap((section) => section.fields.map((field) => field.name)));
        return options.filter((option) => "value" in option && fitting.has(option.value));
      }}
      onChange={(name) => name && onAdd(name)}
    />
  );
}

interface SearchingProps {
  draft: SweepDraft;
  change: SweepToBe["change"];
  name: string;
  place: string | undefined;
  message: string | undefined;
  taken: ReadonlySet<string>;
}

function Searching({ draft, change, name, place, message, taken }: SearchingProps) {
  const { t } = useTranslation("sweeps");
  const set = (changed: Partial<SweepDraft>) => change((before) => ({ ...before, ...changed }));
  const errorAt = (at: string) => (place === at ? message : undefined);
  const text = (key: "trials" | "seed" | "hours" | "share" | "minEpochs" | "reductionFactor", at: string, usual: string) => (
    <TextInput
      label={
        <>
          {t(at)} <code>{at}</code>
        </>
      }
      description={t(`${at}_says`)}
      placeholder={usual}
      inputMode="decimal"
      value={draft[key]}
      error={errorAt(at)}
      onChange={(event) => set({ [key]: event.currentTarget.value })}
    />
  );
  return (
    <section aria-labelledby="how-searched">
      <h2 id="how-searched">{t("how_searched")}</h2>
      <div className={classes.search}>
        <SegmentedControl
          aria-label={t("search")}
          value={draft.search}
          onChange={(search) => set({ search: search as Search })}
          data={SEARCHES.map((value) => ({ value, label: t(`search_${value}`) }))}
        />
        <p className="soft small">{t(`search_${draft.search}_says`)}</p>
        {errorAt("search") && <p className={classes.problem}>{message}</p>}
      </div>
      <div className={classes.fields}>
        {draft.search !== "grid" && text("trials", "trials", "12")}
        {draft.search !== "grid" && text("seed", "seed", "0")}
        {text("hours", "hours", "")}
        {text("share", "share", "1")}
        <NativeSelect
          label={
            <>
              {t("effort")} <code>effort</code>
            </>
          }
          description={t("effort_says")}
          value={draft.effort}
          onChange={(event) => set({ effort: event.currentTarget.value as SweepDraft["effort"] })}
          data={EFFORTS.map((value) => ({ value, label: t(`effort_${value}`) }))}
        />
        <TextInput
          label={t("name")}
          description={t("name_says")}
          placeholder={name}
          value={draft.name}
          error={taken.has(name) ? t("train:name_taken", { name }) : errorAt("name")}
          onChange={(event) => set({ name: event.currentTarget.value })}
        />
        <RayField value={draft.ray} error={errorAt("ray")} onChange={(ray) => set({ ray })} />
      </div>
      <Switch
        mt="md"
        label={t("stop_early")}
        description={t("stop_early_says")}
        checked={draft.stopEarly}
        onChange={(event) => set({ stopEarly: event.currentTarget.checked })}
      />
      {draft.stopEarly && (
        <div className={classes.fields}>
          {text("minEpochs", "min_epochs", "1")}
          {text("reductionFactor", "reduction_factor", "3")}
        </div>
      )}
    </section>
  );
}
