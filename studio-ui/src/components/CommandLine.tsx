import { Button, Code, CopyButton } from "@mantine/core";
import { Check, Copy } from "lucide-react";
import { useTranslation } from "react-i18next";
import classes from "./CommandLine.module.css";

/** A command for a terminal, with what it does, to be copied. */
export function CommandLine({ words, command }: { words: string; command: string }) {
  const { t } = useTranslation("train");
  return (
    <div>
      <p>{words}</p>
      <div className={classes.command}>
        <Code>{command}</Code>
        <CopyButton value={command}>
          {({ copied, copy }) => (
            <Button
              size="xs"
              variant="default"
              onClick={copy}
              leftSection={copied ? <Check size={14} aria-hidden /> : <Copy size={14} aria-hidden />}
            >
              {t(copied ? "copied" : "copy")}
            </Button>
          )}
        </CopyButton>
      </div>
    </div>
  );
}
