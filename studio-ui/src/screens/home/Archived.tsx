import { Button, Group } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, ask } from "../../api/client";
import { lookAgain, useGet } from "../../api/queries";
import { sayProblem } from "../../components/say";
import classes from "./Home.module.css";

/** The bin: projects that were archived, which can be restored. */
export function Archived() {
  const { t } = useTranslation("home");
  const client = useQueryClient();
  const { data = [] } = useGet("/api/projects:archived");
  if (data.length === 0) return null;

  function restore(name: string): void {
    ask(api.POST("/api/projects:archived/{name}:restore", { params: { path: { name } } }))
      .catch(sayProblem)
      .finally(() => lookAgain(client, "/api/projects", "/api/projects:archived"));
  }

  return (
    <details className={classes.missing}>
      <summary>{t("bin", { count: data.length })}</summary>
      <ul className={classes.bin}>
        {data.map((project) => (
          <li key={project.id}>
            <Group justify="space-between">
              {project.name}
              <Button size="compact-sm" variant="default" onClick={() => restore(project.id)}>
                {t("restore")}
              </Button>
            </Group>
          </li>
        ))}
      </ul>
    </details>
  );
}
