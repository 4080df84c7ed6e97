import { ActionIcon, Button, Group, TextInput } from "@mantine/core";
import { Plus, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import classes from "./SamplePrompts.module.css";

interface Props {
  prompts: string[];
  trigger: string;
  changed: boolean;
  problem?: string;
  onChange: (prompts: string[]) => void;
  onReset: () => void;
}

/** What is generated after each epoch, to see what was learned. */
export function SamplePrompts({ prompts, trigger, changed, problem, onChange, onReset }: Props) {
  const { t } = useTranslation("train");
  return (
    <fieldset className={classes.prompts}>
      <legend>{t("prompts")}</legend>
      <p className="soft small">{trigger ? t("prompts_say", { slot: "{trigger}", trigger }) : t("prompts_say_plainly")}</p>
      <ol>
        {prompts.map((prompt, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: prompts are told apart by their place alone
          <li key={at}>
            <TextInput
              aria-label={t("prompt_nr", { count: at + 1 })}
              value={prompt}
              onChange={(event) => onChange(prompts.with(at, event.currentTarget.value))}
            />
            <ActionIcon
              variant="subtle"
              color="gray"
              size="var(--hit)"
              aria-label={t("remove_prompt", { count: at + 1 })}
              onClick={() => onChange(prompts.filter((_, other) => other !== at))}
            >
              <Trash2 size={16} />
            </ActionIcon>
          </li>
        ))}
      </ol>
      {problem && (
        <p className={classes.problem} role="alert">
          {problem}
        </p>
      )}
      <Group gap="sm">
        <Button size="xs" variant="default" leftSection={<Plus size={14} aria-hidden />} onClick={() => onChange([...prompts, ""])}>
          {t("add_prompt")}
        </Button>
        {changed && (
          <Button size="xs" variant="subtle" onClick={onReset}>
            {t("prompts_from_captions")}
          </Button>
        )}
      </Group>
    </fieldset>
  );
}
