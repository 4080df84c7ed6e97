import { Button, Radio, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../../api/client";
import { ErrorCard } from "../../../components/ErrorCard";
import classes from "./EncodingsDialog.module.css";
import { useConversion } from "./useConversion";

const MOST_NAMED = 3; // captions

/** Captions that look written in the same encoding. Where it may be one of several, the one that reads right is chosen. */
export function SameEncoding({ project, group }: { project: string; group: Shape<"ConversionView"> }) {
  const { t } = useTranslation("captions");
  const { captions, readings } = group;
  const [chosen, choose] = useState("");
  const { convert, converting, problem } = useConversion(project);
  const [only] = readings.length === 1 ? readings : [];
  const encoding = only?.encoding ?? chosen.trim();
  return (
    <section className={classes.group} aria-label={only ? only.encoding : t("unsure_encoding")}>
      <p className={classes.names}>
        <strong>{t("captions_changed", { count: captions.length })}</strong>{" "}
        <span className="soft" title={captions.join("\n")}>
          {captions.slice(0, MOST_NAMED).join(", ")}
          {captions.length > MOST_NAMED && ` ${t("and_more", { count: captions.length - MOST_NAMED })}`}
        </span>
      </p>
      {only && (
        <>
          <p className="small soft">{t("looks_like", { count: captions.length, encoding: only.encoding })}</p>
          <blockquote className={classes.text}>{only.text}</blockquote>
        </>
      )}
      {readings.length > 1 && (
        <Radio.Group label={t("which_reads_right", { count: captions.length })} value={chosen} onChange={choose}>
          {readings.map(({ encoding, text }) => (
            <Radio key={encoding} value={encoding} label={encoding} description={text} classNames={{ description: classes.text }} />
          ))}
        </Radio.Group>
      )}
      {readings.length === 0 && (
        <TextInput
          label={t("no_text")}
          description={t("no_text_is")}
          value={chosen}
          onChange={(event) => choose(event.currentTarget.value)}
          spellCheck={false}
        />
      )}
      {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
      <Button
        size="xs"
        variant={only ? "light" : "filled"}
        className={classes.convert}
        loading={converting}
        disabled={encoding === ""}
        onClick={() => convert(captions, encoding)}
      >
        {t("convert", { count: captions.length })}
      </Button>
    </section>
  );
}
