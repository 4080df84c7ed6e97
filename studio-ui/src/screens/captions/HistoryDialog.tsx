import { Button, Modal } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { History } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import { useGet } from "../../api/queries";
import { EmptyState } from "../../components/EmptyState";
import { ErrorCard } from "../../components/ErrorCard";
import { ago } from "../../components/format";
import { Loaded } from "../../components/Loaded";
import classes from "./HistoryDialog.module.css";

/** What was done to the project, the newest first; one click takes everything back down to a place, or does it again up to one. */
export function HistoryDialog({ project, onClose }: { project: string; onClose: () => void }) {
  const { t } = useTranslation("captions");
  const client = useQueryClient();
  const history = useGet("/api/projects/{project}/history", { path: { project } });
  const [problem, setProblem] = useState<unknown>();
  const [going, setGoing] = useState(false);

  /** Undo or redo so many operations, one after the other. */
  async function take(way: "undo" | "redo", times: number) {
    setGoing(true);
    try {
      for (let done = 0; done < times; done++)
        await ask(api.POST(`/api/projects/{project}/history:${way}`, { params: { path: { project } } }));
      setProblem(undefined);
    } catch (error) {
      setProblem(error);
    } finally {
      setGoing(false);
      client.invalidateQueries();
    }
  }

  return (
    <Modal opened onClose={onClose} title={t("history")} size="lg">
      {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
      <Loaded of={history}>
        {(operations) => {
          if (operations.length === 0) return <EmptyState icon={<History size={32} />}>{t("no_history")}</EmptyState>;
          const undone = operations.filter((operation) => operation.state === "undone").length;
          return (
            <ol className={classes.list}>
              {operations.map((operation, at) => (
                <Operation
                  key={`${operation.at} ${operation.summary}`}
                  operation={operation}
                  disabled={going}
                  onTake={
                    operation.state === "undone"
                      ? () => take("redo", operations.slice(at).filter((other) => other.state === "undone").length)
                      : () => take("undo", at + 1 - undone)
                  }
                />
              ))}
            </ol>
          );
        }}
      </Loaded>
    </Modal>
  );
}

function Operation({ operation, disabled, onTake }: { operation: Shape<"OperationView">; disabled: boolean; onTake: () => void }) {
  const { t } = useTranslation("captions");
  const undone = operation.state === "undone";
  return (
    <li className={classes.operation} data-undone={undone || undefined}>
      <div className={classes.words}>
        <div>{operation.summary}</div>
        <div className="soft small">
          {t("captions_changed", { count: operation.captions })} · {ago(operation.at)}
          {undone && ` · ${t("is_undone")}`}
        </div>
      </div>
      <Button size="compact-sm" variant="default" disabled={disabled} onClick={onTake}>
        {t(undone ? "redo_to_here" : "undo_to_here")}
      </Button>
    </li>
  );
}
