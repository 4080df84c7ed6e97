import { Alert, Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { Images } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { api, ask, type Shape } from "../../api/client";
import { lookAgain } from "../../api/queries";
import { ErrorCard } from "../../components/ErrorCard";
import { StudioImage } from "../../components/image/StudioImage";
import { sayProblem } from "../../components/say";
import { useDraft } from "../../state/draft";
import { chooseFiles } from "../../uploads/choose";
import { type Gathered, nameOf } from "../../uploads/gather";
import { beginUpload } from "../../uploads/sending";
import character from "./kinds/character.webp";
import concept from "./kinds/concept.webp";
import several from "./kinds/multi-concept.webp";
import style from "./kinds/style.webp";
import classes from "./NewLora.module.css";

type Kind = Shape<"NewProject">["kind"];

const KINDS: [Kind & string, string][] = [
  ["character", character],
  ["style", style],
  ["concept", concept],
  ["multi-concept", several],
];

interface Props {
  opened: boolean;
  /** Pictures that were dropped on the window, to be its first ones. */
  dropped: Gathered[];
  onDropped: (gathered: Gathered[]) => void;
  onClose: () => void;
}

/** A new project by one decision: what kind. Its name comes from the folder that was dropped; pictures can be added now or later. */
export function NewLora({ opened, dropped, onDropped, onClose }: Props) {
  const { t } = useTranslation("home");
  const [, go] = useLocation();
  const client = useQueryClient();
  const [typed, setName, forgetName] = useDraft("new:name", "");
  const [folder, setFolder, forgetFolder] = useDraft("new:folder", "");
  const [problem, setProblem] = useState<unknown>();
  const [making, setMaking] = useState(false);
  const proposed = nameOf(dropped);

  async function make(kind: Kind & string): Promise<void> {
    setMaking(true);
    try {
      const name = typed.trim() || proposed || t("unnamed", { kind: t(`frame:kind_${kind}`) });
      const place = folder.trim();
      const made = await ask(api.POST("/api/projects", { body: { name, kind, ...(place && { dataset: place }) } as Shape<"NewProject"> }));
      forgetName();
      forgetFolder();
      lookAgain(client, "/api/projects");
      beginUpload(made.id, dropped).catch(sayProblem);
      onClose();
      go(`/projects/${encodeURIComponent(made.id)}/images`);
    } catch (error) {
      setProblem(error);
    } finally {
      setMaking(false);
    }
  }

  async function choose(folder: boolean): Promise<void> {
    const files = await chooseFiles({ folder });
    if (files.length > 0) onDropped(files);
  }

  return (
    <Modal opened={opened} onClose={onClose} title={t("new")} size={760}>
      <Stack gap="lg">
        {dropped.length > 0 ? (
          <Alert icon={<Images size={18} />} color="gray">
            {t("dropped", { count: dropped.length })}
          </Alert>
        ) : (
          <Group gap="sm">
            <Button variant="default" onClick={() => choose(false)}>
              {t("choose_files")}
            </Button>
            <Button variant="default" onClick={() => choose(true)}>
              {t("choose_folder")}
            </Button>
            <span className="soft">{t("or_later")}</span>
          </Group>
        )}
        <TextInput
          label={t("name")}
          placeholder={proposed || t("name_placeholder")}
          value={typed}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <fieldset className={classes.kinds} disabled={making}>
          <legend>{t("what_kind")}</legend>
          {KINDS.map(([kind, picture]) => (
            <button key={kind} type="button" className={classes.kind} onClick={() => make(kind)} data-kind={kind}>
              <StudioImage src={picture} alt="" width={160} height={160} />
              <strong>{t(`frame:kind_${kind}`)}</strong>
              <span>{t(`kind_${kind}_words`)}</span>
            </button>
          ))}
        </fieldset>
        <details>
          <summary>{t("folder_here")}</summary>
          <TextInput
            mt="xs"
            label={t("folder")}
            description={t("folder_words")}
            value={folder}
            onChange={(event) => setFolder(event.currentTarget.value)}
          />
        </details>
        {problem !== undefined && <ErrorCard problem={problem} />}
      </Stack>
    </Modal>
  );
}
