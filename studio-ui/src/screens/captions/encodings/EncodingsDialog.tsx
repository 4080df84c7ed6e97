import { Button, Modal } from "@mantine/core";
import { CircleCheck } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../../api/client";
import { useGet } from "../../../api/queries";
import { EmptyState } from "../../../components/EmptyState";
import { ErrorCard } from "../../../components/ErrorCard";
import { Loaded } from "../../../components/Loaded";
import classes from "./EncodingsDialog.module.css";
import { SameEncoding } from "./SameEncoding";
import { useConversion } from "./useConversion";

/** Captions that are not UTF-8, together by the encoding that they look written in, each with what they say in it. */
export function EncodingsDialog({ project, onClose }: { project: string; onClose: () => void }) {
  const { t } = useTranslation("captions");
  const conversions = useGet("/api/projects/{project}/conversions", { path: { project } }, { staleTime: 0 });
  return (
    <Modal opened onClose={onClose} title={t("encodings")} size="lg">
      <p className="soft">{t("encodings_are")}</p>
      <Loaded of={conversions}>
        {(groups) =>
          groups.length === 0 ? (
            <EmptyState
              icon={<CircleCheck size={32} />}
              action={
                <Button variant="default" onClick={onClose}>
                  {t("close")}
                </Button>
              }
            >
              {t("all_utf8")}
            </EmptyState>
          ) : (
            <ul className={classes.groups}>
              <Clear project={project} groups={groups} />
              {groups.map((group) => (
                <li key={group.captions[0]}>
                  <SameEncoding project={project} group={group} />
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Modal>
  );
}

/** All whose encoding is clear, with one click. */
function Clear({ project, groups }: { project: string; groups: Shape<"ConversionView">[] }) {
  const { t } = useTranslation("captions");
  const { convert, converting, problem } = useConversion(project);
  const clear = groups.filter(({ readings }) => readings.length === 1);
  const captions = clear.flatMap((group) => group.captions);
  if (clear.length < 2) return null;
  return (
    <li>
      {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
      <Button loading={converting} onClick={() => convert(captions, "")}>
        {t("convert_clear", { count: captions.length })}
      </Button>
    </li>
  );
}
