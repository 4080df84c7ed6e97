import { Anchor, Button, Group } from "@mantine/core";
import { ShieldCheck } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useGet } from "../../api/queries";
import { ErrorCard } from "../../components/ErrorCard";
import { bytes, number } from "../../components/format";
import { StudioImage } from "../../components/image/StudioImage";
import { JobProgress } from "../../components/jobs/JobProgress";
import { useJob } from "../../components/jobs/useJob";
import { Loaded } from "../../components/Loaded";
import { NotThere } from "../../components/NotThere";
import { Sentence } from "../../components/Sentence";
import { useAddressPart } from "../../state/address";
import { LoraActions } from "../library/LoraActions";
import { fact, titleOf } from "../library/lora";
import { type Lora as File, useLoras } from "../library/useLoras";
import { FindingList } from "./FindingList";
import { type Inspected, inspectedOf } from "./inspected";
import classes from "./Lora.module.css";
import { Metadata } from "./Metadata";
import { Programs } from "./Programs";

/** One LoRA file: what is in it, what each program does with it, what it says of itself. */
export default function Lora() {
  const { t } = useTranslation("library");
  const id = useAddressPart("file");
  const found = useGet("/api/library/{id}", { path: { id } });
  const all = useLoras({});
  const lora = all.data?.loras.find((each) => each.id === id);
  return (
    <div className={classes.screen}>
      <Loaded of={found} height="70vh" gone={(problem) => <NotThere problem={problem} href="/library" words={t("title")} />}>
        {(data) => <Inspector key={id} id={id} lora={lora} inspected={inspectedOf(data)} />}
      </Loaded>
    </div>
  );
}

function Inspector({ id, lora, inspected }: { id: string; lora?: File; inspected: Inspected }) {
  const { t } = useTranslation("library");
  return (
    <>
      <div className={classes.scrolled}>
        <Anchor component={Link} href="/library" size="sm">
          {t("back")}
        </Anchor>
        <header className={classes.head}>
          {lora?.preview && <StudioImage src={lora.preview} alt="" className={classes.preview} />}
          <div>
            <h1>{lora ? titleOf(lora) : inspected.file}</h1>
            <p className={classes.path}>
              <Sentence>{inspected.file}</Sentence>
            </p>
            {lora && <p>{fact(lora, "description")}</p>}
          </div>
        </header>
        <Facts inspected={inspected} lora={lora} />
        <section className={classes.section}>
          <h2>{t("loads")}</h2>
          <Programs programs={inspected.programs} />
          {inspected.notes.map((note) => (
            <p key={note} className="soft">
              {note}
            </p>
          ))}
        </section>
        <Check file={inspected.file} />
        <Metadata id={id} inspected={inspected} />
      </div>
      {lora && <LoraActions loras={[lora]} />}
    </>
  );
}

function Facts({ inspected, lora }: { inspected: Inspected; lora?: File }) {
  const { t } = useTranslation("library");
  const facts: [string, string][] = [
    [t("made_for"), [inspected.made_for, lora && fact(lora, "base")].filter(Boolean).join(" · ")],
    [t("kinds"), counted(inspected.kinds)],
    [t("rank"), Object.keys(inspected.ranks).join(", ")],
    [t("alpha"), Object.keys(inspected.alphas).join(", ")],
    [t("parts"), counted(inspected.parts)],
    [t("numbers"), `${number(inspected.parameters)} · ${Object.keys(inspected.precisions).join(", ")}`],
    [t("size"), bytes(inspected.bytes)],
    [t("names"), inspected.names.join(", ")],
    [t("triggers"), lora ? fact(lora, "triggers") : ""],
  ];
  return (
    <dl className={classes.facts}>
      {facts
        .filter(([, value]) => value)
        .map(([name, value]) => (
          <div key={name}>
            <dt className="soft small">{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** The whole check, which reads every number of the file. */
function Check({ file }: { file: string }) {
  const { t } = useTranslation("library");
  const { job, problem, sending, start } = useJob();
  return (
    <section className={classes.section}>
      <Group gap="sm">
        <h2>{t("check")}</h2>
        <Button
          size="xs"
          variant="default"
          leftSection={<ShieldCheck size={14} aria-hidden />}
          loading={sending}
          onClick={() => start("check", { file })}
        >
          {t("check_now")}
        </Button>
      </Group>
      <p className="soft small">{t("check_says")}</p>
      {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
      {job && <JobProgress job={job} />}
      {job?.state === "done" && <FindingList findings={job.outcome.problems} sound={t("sound")} />}
    </section>
  );
}

function counted(counts: Record<string, number>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${number(count)}`)
    .join(", ");
}
