import { Button } from "@mantine/core";
import { FileWarning } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../../api/client";
import { useFindingWords } from "../../../words/findingWords";
import classes from "../Captions.module.css";

/** Of which code the advice on such captions is. */
export const NOT_UTF8 = "captions.not_utf8";

/** Where captions are not UTF-8: how many, and the way to make them so. */
export function NotUtf8({ advice, onConvert }: { advice: readonly Shape<"FindingView">[]; onConvert: () => void }) {
  const { t } = useTranslation("captions");
  const found = advice.find((finding) => finding.code === NOT_UTF8);
  const { findingWords } = useFindingWords();
  if (found === undefined) return null;
  const { message, why } = findingWords(found);
  return (
    <div className={classes.first} data-severity="error">
      <FileWarning size={20} aria-hidden />
      <p>
        {message} {why}
      </p>
      <Button size="xs" onClick={onConvert}>
        {t("convert_them")}
      </Button>
    </div>
  );
}
