import { Button, Checkbox } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { ArrowRight, Check, WandSparkles } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { api, ask, type Shape } from "../../api/client";
import { keyOf, useGet } from "../../api/queries";
import { number } from "../../components/format";
import { sayProblem } from "../../components/say";
import classes from "./PathBar.module.css";
import type { PictureChanges } from "./usePictureChanges";

const HELD_OUT = 0.1; // of the pictures, to judge the LoRA by
const ENOUGH_TO_HOLD_OUT = 8;

interface Props {
  project: string;
  count: number;
  heldOut: number;
  audit?: Shape<"AuditView">;
  changes: PictureChanges;
}

/** Where one stands on the way to a LoRA: how many pictures need a look, the mends that need no thought, the rights, and on. */
export function PathBar({ project, count, heldOut, audit, changes }: Props) {
  const { t } = useTranslation("images");
  const [, go] = useLocation();
  const mendings = audit?.safe_mends ?? [];
  const safe = mendings.reduce((sum, { pictures }) => sum + pictures.length, 0);

  async function next() {
    if (heldOut === 0 && count >= ENOUGH_TO_HOLD_OUT) await changes.holdOut(HELD_OUT);
    go(`/projects/${encodeURIComponent(project)}/captions`);
  }

  return (
    <div className={classes.bar}>
      <strong role="status">
        {t("count", { count, shown: number(count) })}
        {audit &&
          `${t("findings:comma")}${audit.need_a_look === 0 ? t("none_needs_a_look") : t("need_a_look", { count: audit.need_a_look })}`}
        {audit && audit.not_looked_at > 0 && <span className="soft"> · {t("looking", { count: audit.not_looked_at })}</span>}
      </strong>
      {safe > 0 && (
        <Button
          size="xs"
          variant="light"
          leftSection={<WandSparkles size={14} aria-hidden />}
          loading={changes.busy}
          onClick={() => changes.mend(mendings)}
        >
          {t("mend_safe", { count: safe })}
        </Button>
      )}
      <span className={classes.gap} />
      <RightsTick project={project} count={count} />
      <Button size="xs" rightSection={<ArrowRight size={14} aria-hidden />} onClick={next} loading={changes.busy}>
        {t("next")}
      </Button>
    </div>
  );
}

/** Ticked once for the pictures that there are; more pictures ask again. */
function RightsTick({ project, count }: { project: string; count: number }) {
  const { t } = useTranslation("images");
  const client = useQueryClient();
  const params = { path: { project } };
  const { data } = useGet("/api/projects/{project}/rights", params);
  if (!data) return null;
  if (data.confirmed && data.pictures >= count) {
    return (
      <span className={classes.rights}>
        <Check size={16} aria-hidden /> {t("rights_confirmed")}
      </span>
    );
  }
  const confirm = () =>
    ask(api.PUT("/api/projects/{project}/rights", { params, body: { words: t("rights") } }))
      .then((rights) => client.setQueryData(keyOf("/api/projects/{project}/rights", params), rights))
      .catch(sayProblem);
  return <Checkbox size="sm" label={data.confirmed ? t("rights_again") : t("rights")} checked={false} onChange={confirm} />;
}
