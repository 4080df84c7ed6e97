import { ActionIcon, Button, Group, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { EyeOff, Pencil, Search, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask } from "../../api/client";
import type { Problem } from "../../api/problem";
import { say, sayProblem } from "../../components/say";
import tables from "../../components/Table.module.css";
import { useAddress } from "../../state/address";
import { readAgain } from "../library/readAgain";
import { type Changed, EditDialog } from "./EditDialog";
import { entriesWith, type Inspected, shortened, wholeOf } from "./inspected";
import classes from "./Lora.module.css";

/** What the file says of itself: every entry, with those marked that nobody else needs to know; each can be edited, and edits undone. */
export function Metadata({ id, inspected }: { id: string; inspected: Inspected }) {
  const { t } = useTranslation("library");
  const client = useQueryClient();
  const [search, look] = useAddress("search");
  const [dialog, show] = useAddress("edit");
  const [chosen, choose] = useState<Changed>({});
  const hidden = usePrivate(id, inspected);
  const entries = entriesWith(inspected.metadata, search);
  const readable = new Map(inspected.said.map((one) => [one.key, one]));

  function open(change: Changed) {
    choose(change);
    show("1");
  }

  function undo() {
    ask(api.POST("/api/library/{id}/metadata:undo", { params: { path: { id } } }))
      .then(({ changes }) => {
        say(t("undone", { count: changes.length }));
        return readAgain(client);
      })
      .catch(sayProblem);
  }

  return (
    <section className={classes.section}>
      <Group gap="sm">
        <h2>{t("metadata", { count: Object.keys(inspected.metadata).length })}</h2>
        <TextInput
          data-filter
          size="xs"
          aria-label={t("search_metadata")}
          placeholder={t("search_metadata")}
          leftSection={<Search size={14} aria-hidden />}
          value={search}
          onChange={(event) => look(event.currentTarget.value)}
        />
        <Button size="xs" variant="default" leftSection={<Pencil size={14} aria-hidden />} onClick={() => open({ key: "" })}>
          {t("add_entry")}
        </Button>
        <Button
          size="xs"
          variant="default"
          leftSection={<EyeOff size={14} aria-hidden />}
          disabled={hidden.size === 0}
          onClick={() => open({ private: true })}
        >
          {t("make_private", { count: hidden.size })}
        </Button>
        <Button size="xs" variant="subtle" onClick={undo}>
          {t("undo_edits")}
        </Button>
      </Group>
      <div className={`${tables.scrolled} ${classes.table}`}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("key")}</th>
              <th scope="col">{t("value")}</th>
              <th scope="col">
                <span className="visually-hidden">{t("edit")}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {entries.map(([key, value]) => (
              <tr key={key}>
                <th scope="row">
                  <code>{key}</code>
                  {readable.has(key) && <span className="soft small">{readable.get(key)?.title}</span>}
                  {hidden.has(key) && <span className={classes.private}>{t("private")}</span>}
                </th>
                <td>
                  <Value name={key} value={value} words={readable.get(key)?.text} />
                </td>
                <td className={classes.edit}>
                  <ActionIcon
                    variant="subtle"
                    color="gray"
                    size="var(--hit)"
                    aria-label={t("edit_entry", { key })}
                    onClick={() => open({ key, value })}
                  >
                    <Pencil size={14} />
                  </ActionIcon>
                  <ActionIcon
                    variant="subtle"
                    color="gray"
                    size="var(--hit)"
                    aria-label={t("remove_entry", { key })}
                    onClick={() => open({ key, remove: true })}
                  >
                    <Trash2 size={14} />
                  </ActionIcon>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {dialog && <EditDialog id={id} change={chosen} onClose={() => show("")} />}
    </section>
  );
}

/** The entries that name folders, tags or programs: what would be taken out of a file that others get. */
function usePrivate(id: string, inspected: Inspected): ReadonlySet<string> {
  const { data } = useQuery<string[], Problem>({
    queryKey: ["/api/library/{id}", { path: { id } }, "private", inspected],
    queryFn: async () => {
      const body = { private: true, dry: true, entries: {}, remove: [], rename: {} };
      const { changes } = await ask(api.PATCH("/api/library/{id}/metadata", { params: { path: { id } }, body }));
      return changes.map((change) => change.key ?? "");
    },
  });
  return new Set(data);
}

/** A value in words; what is longer than those, a list or a table, can be opened. */
function Value({ name, value, words = value }: { name: string; value: string; words?: string }) {
  const whole = wholeOf(value, words);
  if (whole === undefined) return shortened(words);
  return (
    <details className={classes.whole}>
      <summary>{shortened(words)}</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard */}
      <section tabIndex={0} aria-label={name}>
        <pre>{whole}</pre>
      </section>
    </details>
  );
}
