import { Button, CloseButton, Code } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../../api/client";
import type { Problem } from "../../../api/problem";
import { lookAgain } from "../../../api/queries";
import { say, sayProblem } from "../../../components/say";
import { useDraft } from "../../../state/draft";
import { useUsualBase } from "../../../state/usualBase";
import classes from "../Captions.module.css";
import { setTrigger } from "./setTrigger";

const PROPOSED = 6; // words, of which one is shown at a time

/** Where a project has no trigger yet: a word made from its name that means nothing to the base, to be taken with one click. It can be closed. */
export function TriggerProposal({ project }: { project: Shape<"ProjectView"> }) {
  const { t } = useTranslation("captions");
  const client = useQueryClient();
  const [closed, close] = useDraft(`trigger-proposal:${project.id}`, false);
  const [at, setAt] = useState(0);
  const [taking, setTaking] = useState(false);
  const { data: words } = useProposals(project, !closed);
  const word = words?.[at % words.length];
  if (closed || word === undefined) return null;
  const tokens = Math.max(...Object.values(word.splits).map((pieces) => pieces.length));

  async function take(trigger: string) {
    setTaking(true);
    try {
      const changed = await setTrigger(project, trigger);
      say(changed > 0 ? t("trigger_set", { trigger, count: changed }) : t("trigger_taken", { trigger }));
    } catch (error) {
      sayProblem(error);
    } finally {
      setTaking(false);
      lookAgain(client, "/api/projects/{project}", "/api/projects/{project}/trigger", "/api/projects/{project}/advice");
    }
  }

  return (
    <div className={classes.first}>
      <KeyRound size={20} aria-hidden />
      <p>
        {t("trigger_proposed")} <Code>{word.trigger}</Code> {t("trigger_is_new", { count: tokens })}
      </p>
      <Button size="xs" loading={taking} onClick={() => take(word.trigger)}>
        {t("take_trigger", { trigger: word.trigger })}
      </Button>
      <Button size="xs" variant="default" onClick={() => setAt(at + 1)}>
        {t("another_trigger")}
      </Button>
      <CloseButton aria-label={t("close")} onClick={() => close(true)} />
    </div>
  );
}

/** Words that could be the project's trigger. They stay the same for a name and a base, so they are asked for once. */
function useProposals(project: Shape<"ProjectView">, wanted: boolean) {
  const { id, name } = project;
  const base = useUsualBase(project);
  return useQuery<Shape<"CheckView">[], Problem>({
    queryKey: ["trigger proposals", id, name, base],
    queryFn: async ({ signal }) => {
      const params = { path: { project: id }, query: { suggest: PROPOSED, base } };
      return (await ask(api.GET("/api/projects/{project}/trigger", { params, signal }))).suggestions;
    },
    enabled: wanted && base !== "",
    staleTime: Number.POSITIVE_INFINITY,
  });
}
