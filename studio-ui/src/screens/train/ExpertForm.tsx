import { Anchor, Button, Group, Switch, TextInput } from "@mantine/core";
import { Search, X } from "lucide-react";
import { useDeferredValue, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { useSections } from "../../components/fields/inLanguage";
import type { Section } from "../../components/fields/schema";
import { found } from "../../components/fields/search";
import { Loaded } from "../../components/Loaded";
import { RayField } from "../../components/RayField";
import { useAddress } from "../../state/address";
import { useTold } from "../../words/told";
import classes from "./ExpertForm.module.css";
import { notesOf } from "./remarks";
import { SettingRow } from "./SettingRow";
import { nameOf, valueAt } from "./tree";
import { useIdle } from "./useIdle";
import type { Planned } from "./usePlan";
import type { Training } from "./useTraining";

interface Props {
  training: Training;
  planned: Planned;
}

/** Every setting, in sections made from the settings' schema; found by its real name, its words, and what is said of it. */
export function ExpertForm(props: Props) {
  const schema = useGet("/api/settings/schema", undefined, { staleTime: Number.POSITIVE_INFINITY });
  return (
    <Loaded of={schema} height={600}>
      {(schema) => <Sections {...props} schema={schema} />}
    </Loaded>
  );
}

function Sections({ training, planned, schema }: Props & { schema: unknown }) {
  const { t } = useTranslation("train");
  const [search, look] = useAddress("search");
  const [only, showOnly] = useAddress("changed");
  const folders = valueAt(training.settings, "datasets");
  const count = Array.isArray(folders) ? folders.length : 0;
  const sections = useSections(schema, count);
  const wanted = useDeferredValue(search);
  const fitting = useMemo(() => found(sections, wanted), [sections, wanted]);
  const shown = only ? changedIn(fitting, training) : fitting;
  const changed = Object.keys(training.changes).length;
  const idle = useIdle(training.settings);
  const notes = useMemo(() => notesOf(planned, idle), [planned, idle]);
  return (
    <div className={classes.form}>
      <div className={classes.tools}>
        <TextInput
          data-filter
          aria-label={t("search")}
          placeholder={t("search_example")}
          leftSection={<Search size={16} aria-hidden />}
          value={search}
          onChange={(event) => look(event.currentTarget.value)}
        />
        <Group gap="sm">
          <Switch
            label={t("only_changed", { count: changed })}
            checked={only !== ""}
            onChange={(event) => showOnly(event.currentTarget.checked ? "1" : "")}
          />
          <Button
            size="xs"
            variant="subtle"
            leftSection={<X size={14} aria-hidden />}
            disabled={changed === 0}
            onClick={() => training.replace({})}
          >
            {t("all_to_recipe")}
          </Button>
        </Group>
        <nav aria-label={t("sections")} className={classes.sections}>
          {shown.map(({ name }) => (
            <Anchor key={name} size="xs" href={`#set-${name}`} onClick={(event) => goTo(event, name)}>
              <Title name={name} />
            </Anchor>
          ))}
        </nav>
      </div>
      {shown.length === 0 && <p className="soft">{only && !search ? t("none_changed") : t("none_found", { search })}</p>}
      {shown.map((section) => (
        <SectionRows key={section.name} section={section} training={training} planned={planned} notes={notes} />
      ))}
      {!search && !only && (
        <section className={classes.section}>
          <h2>{t("section_machines")}</h2>
          <RayField value={training.ray} onChange={training.setRay} />
        </section>
      )}
    </div>
  );
}

function SectionRows({ section, training, planned, notes }: { section: Section; notes: ReadonlyMap<string, string> } & Props) {
  const { settings, recipe, changes, reasons, set, reset } = training;
  const { told } = useTold();
  const fields = section.fields;
  return (
    <section id={`set-${section.name}`} className={classes.section} tabIndex={-1}>
      <h2>
        <Title name={section.name} />
      </h2>
      {section.description && <p className="soft small">{section.description}</p>}
      {fields.map((field) => {
        const reason = reasons.get(nameOf(field.name));
        return (
          <SettingRow
            key={field.name}
            field={field}
            value={valueAt(settings, field.name)}
            usual={valueAt(recipe, field.name)}
            changed={field.name in changes}
            reason={reason && told(reason.reason, reason.said)}
            source={reason?.source}
            problem={planned.problem?.told.place === field.name ? planned.problem.message : undefined}
            idle={notes.get(nameOf(field.name))}
            onChange={set}
            onReset={reset}
          />
        );
      })}
    </section>
  );
}

/** A section's title in the page's language; a folder's has its number. */
function Title({ name }: { name: string }) {
  const { t } = useTranslation("train");
  const [section = "", at] = name.split(".");
  return at === undefined ? t(`section_${section || "general"}`) : t("section_datasets", { count: Number(at) + 1 });
}

function changedIn(sections: Section[], { changes }: Training): Section[] {
  return sections
    .map((section) => ({ ...section, fields: section.fields.filter((field) => field.name in changes) }))
    .filter((section) => section.fields.length > 0);
}

function goTo(event: React.MouseEvent, name: string): void {
  event.preventDefault(); // the address keeps what it has after its #
  const section = document.getElementById(`set-${name}`);
  section?.scrollIntoView({ block: "start" });
  section?.focus({ preventScroll: true });
}
