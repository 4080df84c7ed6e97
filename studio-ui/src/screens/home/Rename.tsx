import { Button, Stack, TextInput } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import { lookAgain } from "../../api/queries";
import { ErrorCard } from "../../components/ErrorCard";

/** Another name for a project. Its folder stays what it is. */
export function Rename({ project }: { project: Shape<"ProjectView"> }) {
  const { t } = useTranslation("home");
  const client = useQueryClient();
  const [name, setName] = useState(project.name);
  const [problem, setProblem] = useState<unknown>();

  async function rename(event: FormEvent): Promise<void> {
    event.preventDefault();
    try {
      await ask(api.PATCH("/api/projects/{project}", { params: { path: { project: project.id } }, body: { name } }));
      modals.closeAll();
      await lookAgain(client, "/api/projects", "/api/projects/{project}");
    } catch (error) {
      setProblem(error);
    }
  }

  return (
    <form onSubmit={rename}>
      <Stack>
        <TextInput label={t("name")} value={name} onChange={(event) => setName(event.currentTarget.value)} data-autofocus required />
        {problem !== undefined && <ErrorCard problem={problem} />}
        <Button type="submit" disabled={!name.trim()}>
          {t("rename")}
        </Button>
      </Stack>
    </form>
  );
}
