import { useTranslation } from "react-i18next";
import { Sentence } from "../../components/Sentence";
import { flat } from "./facts";
import type { PartProps } from "./part";
import classes from "./Run.module.css";

/** The settings of the run, as they were, by their names; and its files. */
export function RunSettings({ run }: PartProps) {
  const { t } = useTranslation("runs");
  return (
    <>
      <h2>{t("files")}</h2>
      <table className={classes.settings}>
        <tbody>
          {run.files.map((file) => (
            <tr key={file.file}>
              <th scope="row">{file.file}</th>
              <td>{t("epoch_step", { epoch: file.epoch, step: file.step })}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className={`soft small ${classes.folder}`}>
        {t("folder")} <Sentence>{run.folder}</Sentence>
      </p>
      <h2>{t("settings")}</h2>
      <table className={classes.settings}>
        <tbody>
          {flat(run.settings).map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                <Sentence>{value}</Sentence>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
