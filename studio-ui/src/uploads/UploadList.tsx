import { Button, Group, Progress } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { ErrorCard } from "../components/ErrorCard";
import { bytes } from "../components/format";
import { sayProblem } from "../components/say";
import { shareOf } from "../frame/job";
import { chooseFiles } from "./choose";
import { beginUpload, forgetUpload, importWhatIsThere } from "./sending";
import { useUploads } from "./store";
import classes from "./UploadList.module.css";
import { progressOf, type Upload } from "./upload";

/** What is on its way into a project, or into all of them: how far it is, and what was not taken. */
export function UploadList({ project }: { project?: string }) {
  const { t } = useTranslation("uploads");
  const uploads = useUploads(project);
  if (uploads.length === 0) return null;
  return (
    <ul className={classes.list} aria-label={t("uploads")}>
      {uploads.map((upload) => (
        <li key={upload.id}>
          <UploadRow upload={upload} />
        </li>
      ))}
    </ul>
  );
}

function UploadRow({ upload }: { upload: Upload }) {
  const { t } = useTranslation("uploads");
  const { sent, of, files, complete } = progressOf(upload);
  const importing = upload.state === "importing" && upload.job ? shareOf(upload.job) : undefined;
  const refused = upload.files.filter((file) => file.refused);
  return (
    <div className={classes.upload}>
      <div className={classes.head} role="status">
        <strong>{t(upload.state, { count: files, complete, ...outcomeOf(upload) })}</strong>
        {upload.state === "sending" && <span className="soft small">{t("of", { sent: bytes(sent), of: bytes(of) })}</span>}
        <Group gap="sm" ml="auto">
          {upload.state === "broken" && <BrokenButtons upload={upload} complete={complete} />}
          {upload.state === "importing" || (
            <Button size="compact-xs" variant="default" onClick={() => forgetUpload(upload.id)}>
              {upload.state === "done" || upload.state === "failed" ? t("close") : t("cancel")}
            </Button>
          )}
        </Group>
      </div>
      {upload.state === "sending" && <Progress size="sm" value={of > 0 ? (100 * sent) / of : 0} aria-label={t("uploads")} />}
      {upload.state === "importing" && (
        <Progress size="sm" value={100 * (importing ?? 1)} animated={importing === undefined} aria-label={t("uploads")} />
      )}
      {upload.problem && <ErrorCard problem={upload.problem} />}
      {upload.state === "failed" && upload.job?.sentence && <p className={classes.bad}>{upload.job.sentence}</p>}
      <Told words="refused" sentences={refused.map((file) => file.refused ?? "")} />
      <Told words="reasons" sentences={sentencesOf(upload, "reasons")} />
      <Told words="notes" sentences={sentencesOf(upload, "notes")} />
    </div>
  );
}

function BrokenButtons({ upload, complete }: { upload: Upload; complete: number }) {
  const { t } = useTranslation("uploads");
  const again = (folder: boolean) =>
    chooseFiles({ folder })
      .then((files) => beginUpload(upload.project, files))
      .catch(sayProblem);
  return (
    <>
      <Button size="compact-xs" onClick={() => again(upload.files.some((file) => file.name.includes("/")))}>
        {t("choose_again")}
      </Button>
      {complete > 0 && (
        <Button size="compact-xs" variant="default" onClick={() => importWhatIsThere(upload.id)}>
          {t("import_these", { count: complete })}
        </Button>
      )}
    </>
  );
}

/** Sentences under a line that says how many there are. Nothing where there are none. */
function Told({ words, sentences }: { words: "refused" | "reasons" | "notes"; sentences: readonly string[] }) {
  const { t } = useTranslation("uploads");
  if (sentences.length === 0) return null;
  return (
    <details className={classes.refused}>
      <summary>{t(words, { count: sentences.length })}</summary>
      <ul>
        {sentences.map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </details>
  );
}

/** How many pictures the import brought in, and how many it left out. */
function outcomeOf(upload: Upload): { added: number; left_out: number } {
  const { added, left_out } = upload.job?.outcome ?? {};
  return { added: Number(added ?? 0), left_out: Number(left_out ?? 0) };
}

/** What the import says of files that it left out, or of what it brought in. */
function sentencesOf(upload: Upload, what: "reasons" | "notes"): string[] {
  const said = upload.job?.outcome[what];
  return Array.isArray(said) ? said.map(String) : [];
}
