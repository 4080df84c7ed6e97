import { Button, Code, Group, Modal } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Problem } from "../../api/problem";
import { CommandLine } from "../../components/CommandLine";
import { Loaded } from "../../components/Loaded";
import { save } from "../../components/save";
import classes from "./Sweep.module.css";

interface Props {
  name: string;
  /** The sweep's folder, below the workspace. */
  out: string;
  ray?: string;
  file: UseQueryResult<string, Problem>;
  onClose: () => void;
}

/** A sweep as the file that `lorasmith sweep` takes, and the command. */
export function SweepFile({ name, out, ray, file, onClose }: Props) {
  const { t } = useTranslation("sweeps");
  const command = `lorasmith sweep ${name}.toml --out ${out}${ray ? ` --ray ${ray}` : ""}`;
  return (
    <Modal opened onClose={onClose} title={t("export")} size="xl">
      <div className={classes.parts}>
        <CommandLine words={t("export_command")} command={command} />
        <Loaded of={file} height={320}>
          {(text) => (
            <>
              <Group gap="sm">
                <Button leftSection={<Download size={16} aria-hidden />} onClick={() => save(`${name}.toml`, text)}>
                  {t("train:export_file", { file: `${name}.toml` })}
                </Button>
              </Group>
              <Code block className={classes.file} tabIndex={0}>
                {text}
              </Code>
            </>
          )}
        </Loaded>
      </div>
    </Modal>
  );
}
