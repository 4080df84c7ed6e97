import { Button, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask } from "../../api/client";
import { keyOf } from "../../api/queries";
import { ErrorCard } from "../../components/ErrorCard";
import { say } from "../../components/say";
import { putJob } from "../../events/Freshness";
import type { Job } from "../../frame/job";
import { useDraft } from "../../state/draft";
import classes from "./Models.module.css";
import type { ModelKind } from "./sections";

/** Adds a model: a file or folder of this machine at once, one of the hub or behind a link by a download. */
export function AddModel({ kind, onAdded }: { kind: ModelKind; onAdded: () => void }) {
  const { t } = useTranslation("settings");
  const client = useQueryClient();
  const [source, setSource, forgetSource] = useDraft(`model:${kind}`, "");
  const [sha256, setSha256, forgetSha256] = useDraft(`model:${kind}:sha256`, "");
  const [problem, setProblem] = useState<unknown>();
  const [sending, setSending] = useState(false);
  const isLink = /^https?:/i.test(source.trim());

  async function add(event: FormEvent) {
    event.preventDefault();
    setSending(true);
    setProblem(undefined);
    try {
      const body = { kind, source: source.trim(), sha256: isLink ? sha256.trim() : "" };
      const { model, job } = await ask(api.POST("/api/models", { body }));
      if (job) client.setQueryData<Job[]>(keyOf("/api/jobs"), (jobs) => putJob(jobs ?? [], job));
      if (model) say(t("added", { title: model.name }));
      forgetSource();
      forgetSha256();
      onAdded();
    } catch (error) {
      setProblem(error);
    } finally {
      setSending(false);
    }
  }

  return (
    <form onSubmit={add} className={classes.add}>
      <TextInput
        label={t(`add_${kind}`)}
        description={t(`source_${kind}`)}
        value={source}
        onChange={(event) => setSource(event.currentTarget.value)}
        spellCheck={false}
        autoComplete="off"
      />
      <Button type="submit" disabled={!source.trim()} loading={sending}>
        {t(isLink ? "download" : "add")}
      </Button>
      {isLink && (
        <TextInput
          className={classes.whole}
          label={t("sha256")}
          description={t("sha256_is")}
          value={sha256}
          onChange={(event) => setSha256(event.currentTarget.value)}
          spellCheck={false}
          autoComplete="off"
        />
      )}
      {problem !== undefined && (
        <div className={classes.whole}>
          <ErrorCard key={String(problem)} problem={problem} />
        </div>
      )}
    </form>
  );
}
