import { Button, Code, Popover, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { type KeyboardEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import { lookAgain, useGet } from "../../api/queries";
import { ErrorCard } from "../../components/ErrorCard";
import { Loaded } from "../../components/Loaded";
import { say } from "../../components/say";
import { useDraft } from "../../state/draft";
import { useUsualBase } from "../../state/usualBase";
import classes from "./TriggerField.module.css";
import { tagsOf } from "./tags";

/** The project's trigger, which may be typed over; below it how the base reads the word, what speaks against it, and how the captions use it. */
export function TriggerField({ project, told }: { project: string; told: Shape<"TriggerView"> }) {
  const { t } = useTranslation("captions");
  const client = useQueryClient();
  const before = told.triggers.join(", ");
  const [typed, setTyped, forget] = useDraft(`trigger:${project}:${before}`, before);
  const [opened, setOpened] = useState(false);
  const [asked, setAsked] = useState("");
  const [problem, setProblem] = useState<unknown>();
  const triggers = tagsOf(typed);
  const isNew = triggers.join(", ") !== before;
  const missing = new Set(told.leaks.filter((leak) => leak.kind === "missing").map((leak) => leak.key)).size;

  function open(): void {
    setOpened(true);
    setAsked(triggers.join(", "));
  }

  async function use() {
    const params = { path: { project } };
    try {
      const replacing = isNew ? told.triggers.filter((old) => !triggers.includes(old)) : [];
      const trigger = isNew ? triggers.join(", ") : null;
      const body = { edit: "set-triggers", arguments: { triggers, replacing }, trigger } as unknown as Shape<"EditRequest">;
      const done = await ask(api.POST("/api/projects/{project}/edits", { params, body }));
      say(t("trigger_set", { trigger: triggers.join(", "), count: done.changed }));
      setProblem(undefined);
      setOpened(false);
      forget();
    } catch (error) {
      setProblem(error);
    } finally {
      lookAgain(client, "/api/projects/{project}", "/api/projects/{project}/trigger", "/api/projects/{project}/advice");
    }
  }

  function pressed(event: KeyboardEvent): void {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter") setAsked(triggers.join(", "));
  }

  return (
    <Popover
      withRoles={false}
      opened={opened}
      onChange={setOpened}
      width={360}
      position="bottom-end"
      shadow="md"
      trapFocus={false}
      returnFocus={false}
    >
      <Popover.Target>
        <TextInput
          className={classes.field}
          aria-label={t("trigger")}
          placeholder={t("trigger")}
          leftSection={<KeyRound size={16} aria-hidden />}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          onFocus={open}
          onKeyDown={pressed}
          spellCheck={false}
          autoComplete="off"
        />
      </Popover.Target>
      <Popover.Dropdown>
        <div className={classes.told}>
          <p className="soft small">{t("trigger_is")}</p>
          {asked !== "" && <Check project={project} words={asked} />}
          {triggers.join(", ") !== asked && triggers.length > 0 && (
            <Button size="xs" variant="default" onClick={() => setAsked(triggers.join(", "))}>
              {t("check_word", { word: triggers.join(", ") })}
            </Button>
          )}
          <p>
            {missing > 0 ? t("trigger_missing", { count: missing, of: told.captions }) : t("trigger_everywhere", { count: told.captions })}
          </p>
          {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
          {triggers.length > 0 && (isNew || missing > 0) && (
            <Button size="xs" onClick={use}>
              {t("use_trigger", { trigger: triggers.join(", "), count: told.captions })}
            </Button>
          )}
        </div>
      </Popover.Dropdown>
    </Popover>
  );
}

/** What the base makes of words: their pieces for each tokenizer, and what speaks against them. */
function Check({ project, words }: { project: string; words: string }) {
  const { t } = useTranslation("captions");
  const { data: owner } = useGet("/api/projects/{project}", { path: { project } });
  const base = useUsualBase(owner);
  const checked = useGet(
    "/api/projects/{project}/trigger",
    { path: { project }, query: { check: words, base } },
    { staleTime: Number.POSITIVE_INFINITY, enabled: base !== "" },
  );
  return (
    <Loaded of={checked} height={48}>
      {({ checks }) =>
        checks.map((check) => (
          <div key={check.trigger}>
            {Object.entries(check.splits).map(([tokenizer, pieces]) => (
              <p key={tokenizer} className="small">
                <span className="soft">{t("tokens", { count: pieces.length })}</span>{" "}
                {pieces.map((piece, at) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: a piece may come twice
                  <Code key={at}>{piece}</Code>
                ))}
              </p>
            ))}
            {check.doubts.map((doubt) => (
              <p key={doubt.sentence} className={doubt.warning ? classes.doubt : "soft small"}>
                {doubt.sentence}
              </p>
            ))}
          </div>
        ))
      }
    </Loaded>
  );
}
