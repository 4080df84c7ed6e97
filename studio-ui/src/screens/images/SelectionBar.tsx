import { Button, CloseButton, Menu, NumberInput, Popover, TextInput } from "@mantine/core";
import { Crop, EyeOff, Folder, Repeat, Shield, Trash2, WandSparkles } from "lucide-react";
import { type FormEvent, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MendChange } from "../../components/changes";
import { number } from "../../components/format";
import type { Selecting } from "../../components/gallery/useSelection";
import { wayName } from "../../components/ways";
import classes from "./SelectionBar.module.css";
import type { PictureChanges, Use } from "./usePictureChanges";

const MOST_REPEATS = 999;

/** What can be done to several pictures at once. Each looks for itself whether it needs it, but for those that do something to all. */
const MENDS: readonly MendChange[] = [
  { way: "bars", parameters: {} },
  { way: "trim", parameters: {} },
  { way: "flatten", parameters: {} },
  { way: "subject", parameters: {} },
  { way: "cut", parameters: {} },
  { way: "clean", parameters: {} },
  { way: "flip", parameters: {} },
  { way: "rotate", parameters: { degrees: 90 } },
];

interface Props {
  selecting: Selecting;
  changes: PictureChanges;
  /** Whether all that are selected are held out. */
  heldOut: boolean;
  /** Whether all of them are of regularisation. */
  regularisation: boolean;
  /** The names of the concepts that there are. */
  concepts: readonly string[];
  onCrop: (picture: string) => void;
}

/** What is selected, and what can be done to it. */
export function SelectionBar({ selecting, changes, heldOut, regularisation, concepts, onCrop }: Props) {
  const { t } = useTranslation("images");
  const { selected } = selecting;
  const first = selected[0];
  if (first === undefined) return null;
  const mend = async (change: MendChange) => {
    const after = await changes.mend([{ pictures: [...selected], changes: [change] }]);
    if (change.way !== "remove") selecting.only(after);
  };
  const use = async (wanted: Use) => selecting.only(await changes.use(selected, wanted));
  return (
    <div className={classes.bar} role="toolbar" aria-label={t("selection")}>
      <strong role="status">{t("selected", { count: selected.length, shown: number(selected.length) })}</strong>
      <Menu position="top-start">
        <Menu.Target>
          <Button size="xs" variant="default" leftSection={<WandSparkles size={14} aria-hidden />} loading={changes.busy}>
            {t("mend")}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {MENDS.map((change) => (
            <Menu.Item key={change.way} onClick={() => mend(change)}>
              {wayName(change.way)}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      <Button size="xs" variant="default" leftSection={<Crop size={14} aria-hidden />} onClick={() => onCrop(first)}>
        {t("crop")}
      </Button>
      <Asking icon={<Folder size={14} aria-hidden />} words={t("concept")} onDone={(concept) => use({ concept })}>
        {(value, setValue) => (
          <TextInput
            data-autofocus
            label={t("concept")}
            placeholder={concepts[0]}
            value={value}
            onChange={(event) => setValue(event.currentTarget.value)}
            maxLength={100}
          />
        )}
      </Asking>
      <Asking icon={<Repeat size={14} aria-hidden />} words={t("repeats")} onDone={(repeats) => use({ repeats: Number(repeats) })}>
        {(value, setValue) => (
          <NumberInput
            data-autofocus
            label={t("repeats")}
            description={t("repeats_why")}
            min={1}
            max={MOST_REPEATS}
            allowDecimal={false}
            value={value}
            onChange={(next) => setValue(String(next))}
          />
        )}
      </Asking>
      <Button size="xs" variant="default" leftSection={<EyeOff size={14} aria-hidden />} onClick={() => use({ held_out: !heldOut })}>
        {heldOut ? t("take_back") : t("hold_out")}
      </Button>
      {regularisation ? (
        <Button size="xs" variant="default" leftSection={<Shield size={14} aria-hidden />} onClick={() => use({ regularisation: false })}>
          {t("as_subject")}
        </Button>
      ) : (
        <Asking
          icon={<Shield size={14} aria-hidden />}
          words={t("mark_regularisation")}
          onDone={(concept) => use({ regularisation: true, concept })}
        >
          {(value, setValue) => (
            <TextInput
              data-autofocus
              label={t("shows")}
              description={t("shows_why")}
              value={value}
              onChange={(event) => setValue(event.currentTarget.value)}
              maxLength={100}
            />
          )}
        </Asking>
      )}
      <Button
        size="xs"
        variant="default"
        color="red"
        leftSection={<Trash2 size={14} aria-hidden />}
        onClick={() => mend({ way: "remove", parameters: {} })}
      >
        {t("remove")}
      </Button>
      <span className={classes.gap} />
      <CloseButton aria-label={t("clear_selection")} onClick={selecting.clear} size="var(--hit)" />
    </div>
  );
}

/** A button that asks for one value first. */
function Asking(props: {
  icon: ReactNode;
  words: string;
  onDone: (value: string) => void;
  children: (value: string, setValue: (value: string) => void) => ReactNode;
}) {
  const { t } = useTranslation("images");
  const [opened, setOpened] = useState(false);
  const [value, setValue] = useState("");
  function submit(event: FormEvent) {
    event.preventDefault();
    setOpened(false);
    props.onDone(value.trim());
  }
  return (
    <Popover opened={opened} onChange={setOpened} position="top-start" trapFocus withArrow>
      <Popover.Target>
        <Button size="xs" variant="default" leftSection={props.icon} onClick={() => setOpened(!opened)}>
          {props.words}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <form onSubmit={submit} className={classes.form}>
          {props.children(value, setValue)}
          <Button type="submit" size="xs" disabled={value.trim() === ""}>
            {t("apply")}
          </Button>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}
