import { Button, Code, Group, Modal, Textarea, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import type { Problem } from "../../api/problem";
import { ErrorCard } from "../../components/ErrorCard";
import { Loaded } from "../../components/Loaded";
import { say } from "../../components/say";
import { readAgain } from "../library/readAgain";
import classes from "./Lora.module.css";

/** What is to be changed: an entry, a new one where its key is empty, or all that is private. */
export interface Changed {
  key?: string;
  value?: string;
  remove?: boolean;
  private?: boolean;
}

const AFTER_TYPING = 300; // milliseconds
const MOST_LINES = 12;

/** An edit of a file's metadata: typed, shown as what it changes, and only then written. */
export function EditDialog({ id, change, onClose }: { id: string; change: Changed; onClose: () => void }) {
  const { t } = useTranslation("library");
  const client = useQueryClient();
  const [key, setKey] = useState(change.key ?? "");
  const [value, setValue] = useState(change.value ?? "");
  const [problem, setProblem] = useState<unknown>();
  const [saving, setSaving] = useState(false);
  const types = !change.private && !change.remove;
  const wanted = bodyOf(change, key, value);
  const [asked] = useDebouncedValue(wanted, AFTER_TYPING);
  const tried = useQuery<Shape<"EditView">, Problem>({
    queryKey: ["/api/library/{id}/metadata", id, asked],
    queryFn: () => ask(api.PATCH("/api/library/{id}/metadata", { params: { path: { id } }, body: { ...asked, dry: true } })),
    enabled: !types || key !== "",
    staleTime: 0,
  });

  async function write() {
    setSaving(true);
    try {
      const { changes } = await ask(api.PATCH("/api/library/{id}/metadata", { params: { path: { id } }, body: wanted }));
      say(t("written", { count: changes.length }));
      await readAgain(client);
      onClose();
    } catch (error) {
      setProblem(error);
    } finally {
      setSaving(false);
    }
  }

  return (
    <Modal opened onClose={onClose} title={t(change.private ? "make_private_title" : "edit")} size="lg">
      <div className={classes.dialog}>
        {types && (
          <>
            <TextInput
              label={t("key")}
              value={key}
              placeholder="modelspec.title"
              readOnly={Boolean(change.key)}
              onChange={(event) => setKey(event.currentTarget.value)}
            />
            <Textarea
              label={t("value")}
              value={value}
              autosize
              maxRows={MOST_LINES}
              onChange={(event) => setValue(event.currentTarget.value)}
            />
          </>
        )}
        {(!types || key !== "") && (
          <Loaded of={tried} height={80}>
            {({ changes }) => (
              <ul className={classes.changes}>
                {changes.length === 0 && <li>{t("no_change")}</li>}
                {changes.map((each) => (
                  <li key={each.key}>
                    <code>{each.key}</code>
                    <Code block>{each.before ?? t("not_there")}</Code>
                    <Code block>{each.after ?? t("taken_out")}</Code>
                  </li>
                ))}
              </ul>
            )}
          </Loaded>
        )}
        {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t("frame:cancel")}
          </Button>
          <Button loading={saving} disabled={types && key === ""} onClick={write}>
            {t("write")}
          </Button>
        </Group>
      </div>
    </Modal>
  );
}

function bodyOf(change: Changed, key: string, value: string): Shape<"MetadataChange"> {
  return {
    entries: change.private || change.remove || key === "" ? {} : { [key]: value },
    remove: change.remove ? [key] : [],
    rename: {},
    private: change.private ?? false,
    dry: false,
  };
}
