import { Button, Group } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { CircleAlert } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Shape } from "../api/client";
import { Problem, problemOf } from "../api/problem";
import { actionWords } from "../words/problemWords";
import classes from "./ErrorCard.module.css";
import { Sentence } from "./Sentence";

/** What went wrong in the studio's own sentence, with a button for each thing that can be done about it. */
export function ErrorCard({ problem, onAgain }: { problem: unknown; onAgain?: () => void }) {
  const { t } = useTranslation("frame");
  const [shown, setShown] = useState(problem);
  const told = shown instanceof Problem ? shown : problemOf(shown instanceof Error ? shown.message : shown, 0);
  return (
    <div className={classes.card} role="alert">
      <CircleAlert size={20} aria-hidden className={classes.icon} />
      <div>
        <p title={told.message === told.told.detail ? undefined : told.told.detail}>
          <Sentence>{told.message}</Sentence>
        </p>
        <Group gap="sm" mt={onAgain || told.told.actions?.length ? 8 : 0}>
          {told.told.actions?.map((action) => (
            <ActionButton key={action.call} action={action} onAgain={onAgain} onFailed={setShown} />
          ))}
          {onAgain && (
            <Button size="xs" variant="default" onClick={onAgain}>
              {t("again")}
            </Button>
          )}
        </Group>
      </div>
    </div>
  );
}

/** A button for an action that the studio offers: a call such as `POST /api/jobs/12:resume`, or the same call `again`. */
function ActionButton(props: { action: Shape<"Action">; onAgain?: () => void; onFailed: (problem: unknown) => void }) {
  const { action, onAgain, onFailed } = props;
  const client = useQueryClient();
  const [method, path] = action.call.split(" ");
  async function act() {
    if (!path || !method) {
      onAgain?.();
      return;
    }
    const response = await fetch(path, { method, headers: { "X-Lorasmith": "1" } });
    if (!response.ok) onFailed(problemOf(await response.json().catch(() => undefined), response.status));
    else client.invalidateQueries();
  }
  return (
    <Button size="xs" onClick={() => act().catch(() => onFailed(Problem.unreachable()))}>
      {actionWords(action.label)}
    </Button>
  );
}
