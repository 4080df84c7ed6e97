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

  /** Undo these operations one after the other, or redo that many; anything done since they were shown is left alone. */
  async function take(way: "undo" | "redo", wanted: readonly Listed[]) {
    setGoing(true);
    try {
      for (const { id } of wanted) {
        const params = { path: { project } };
        if (way === "redo") await ask(api.POST("/api/projects/{project}/history:redo", { params }));
        else await ask(api.POST("/api/projects/{project}/history:undo", { params: { ...params, query: { operation: id } } }));
      }
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
          return (
            <ol className={classes.list}>
              {operations.map((operation, at) => (
                <Operation
                  key={operation.id}
                  operation={operation}
                  disabled={going}
                  onUndo={() => take("undo", inState(operations.slice(0, at + 1), "done"))}
                  onRedo={() => take("redo", inState(operations.slice(at), "undone"))}
                />
              ))}
            </ol>
          );
        }}
      </Loaded>
    </Modal>
  );
}

type Listed = Shape<"HistoryOperation">;

function inState(operations: readonly Listed[], state: Listed["state"]): Listed[] {
  return operations.filter((operation) => operation.state === state);
}

function Operation(props: { operation: Listed; disabled: boolean; onUndo: () => void; onRedo: () => void }) {
  const { t } = useTranslation("captions");
  const { operation, disabled, onUndo, onRedo } = props;
  return (
    <li className={classes.operation} data-state={operation.state}>
      <div className={classes.words}>
        <div>{operation.summary}</div>
        <div className="soft small">
          {t(operation.what === "captions" ? "captions_changed" : "pictures", { count: operation.count })} · {ago(operation.at)}
          {operation.state !== "done" && ` · ${t(operation.state === "undone" ? "is_undone" : "is_set_aside")}`}
        </div>
      </div>
      {operation.state === "done" && (
        <Button size="compact-sm" variant="default" disabled={disabled} onClick={onUndo}>
          {t("undo_to_here")}
        </Button>
      )}
      {operation.state === "undone" && (
        <Button size="compact-sm" variant="default" disabled={disabled} onClick={onRedo}>
          {t("redo_to_here")}
        </Button>
      )}
    </li>
  );
}
