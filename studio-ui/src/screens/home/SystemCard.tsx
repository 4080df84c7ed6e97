import { Code } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { bytes } from "../../components/format";
import { Loaded } from "../../components/Loaded";
import classes from "./Home.module.css";

/** The machine: what computes, memory, disk, and what is missing, with the one command that gets it. */
export function SystemCard() {
  const { t } = useTranslation("home");
  const system = useGet("/api/system");
  return (
    <section className={`panel ${classes.system}`} aria-labelledby="system">
      <h2 id="system">{t("system")}</h2>
      <Loaded of={system} height={120}>
        {(machine) => (
          <>
            <dl className={classes.facts}>
              <dt>{t("device")}</dt>
              <dd>
                {machine.accelerators.length > 0
                  ? machine.accelerators.map((one) => `${one.name}, ${bytes(one.memory)}`).join("; ")
                  : t("cpu", { count: machine.processors })}
              </dd>
              <dt>{t("memory")}</dt>
              <dd>{t("free_of", { free: bytes(machine.memory_free), all: bytes(machine.memory) })}</dd>
              <dt>{t("disk")}</dt>
              <dd>{t("free_of", { free: bytes(machine.disk_free), all: bytes(machine.disk) })}</dd>
              <dt>{t("versions")}</dt>
              <dd>
                Lorasmith {machine.lorasmith}, Python {machine.python}
                {Object.entries(machine.packages).map(([name, version]) => `, ${name} ${version}`)}
              </dd>
            </dl>
            {machine.notes.map((note) => (
              <p key={note} className={classes.note}>
                {note}
              </p>
            ))}
            {machine.missing.length > 0 && (
              <details className={classes.missing}>
                <summary>{t("missing", { count: machine.missing.length })}</summary>
                <ul>
                  {machine.missing.map((extra) => (
                    <li key={extra.name}>
                      {extra.packages.join(", ")}: <Code>{extra.command}</Code>
                    </li>
                  ))}
                </ul>
              </details>
            )}
          </>
        )}
      </Loaded>
    </section>
  );
}
