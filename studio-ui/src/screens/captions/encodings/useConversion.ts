import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask } from "../../../api/client";
import { say } from "../../../components/say";

/** Makes captions UTF-8; without an encoding each is read as it looks. */
export function useConversion(project: string) {
  const { t } = useTranslation("captions");
  const client = useQueryClient();
  const [converting, setConverting] = useState(false);
  const [problem, setProblem] = useState<unknown>();

  async function convert(captions: string[], encoding: string) {
    setConverting(true);
    setProblem(undefined);
    try {
      const params = { path: { project } };
      const { changed } = await ask(api.POST("/api/projects/{project}/conversions", { params, body: { captions, encoding } }));
      say(t("edited", { count: changed }));
      client.invalidateQueries();
    } catch (error) {
      setProblem(error);
    } finally {
      setConverting(false);
    }
  }

  return { convert, converting, problem };
}
