import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { number, percent } from "../../components/format";
import { FailedParts } from "../../components/PartFailed";
import { ConceptMenu } from "./ConceptMenu";
import type { Division } from "./concepts";
import classes from "./SideList.module.css";
import type { PictureChanges } from "./usePictureChanges";

const HELD_OUT = 0.1;

interface Props {
  project: string;
  division: Division;
  changes: PictureChanges;
  /** Whether what matters more has been answered; the layout's balance is worked out after it. */
  quiet: boolean;
  concept: string;
  onConcept: (name: string) => void;
  onSelect: (pictures: readonly string[]) => void;
}

/** What the pictures are trained for: concepts with their repeats and their part of an epoch, regularisation, and those held out. */
export function ConceptList({ project, division, changes, quiet, concept, onConcept, onSelect }: Props) {
  const { t } = useTranslation("images");
  const { concepts, heldOut } = division;
  const training = concepts.reduce((sum, { pictures }) => sum + pictures.length, 0);
  const layout = useGet("/api/projects/{project}/layout", { path: { project } }, { enabled: quiet && training > 0 });
  const moves = layout.data?.moves.length ?? 0;
  if (training + heldOut.length === 0) return null;
  return (
    <section>
      <h2>{t("concepts")}</h2>
      <ul className={classes.list}>
        {concepts.map(({ name, repeats, regularisation, pictures, share }) => (
          <li key={`${name} ${repeats} ${regularisation}`} className={classes.rowWithMenu}>
            <button
              type="button"
              className={classes.row}
              aria-pressed={name !== "" && name === concept}
              onClick={() => (name === "" ? onSelect(pictures) : onConcept(name === concept ? "" : name))}
            >
              <span className={classes.name}>
                {name || t("loose")}
                <span className={classes.below}>
                  {t("times", { pictures: number(pictures.length), repeats })}
                  {` · ${percent(share)}`}
                  {regularisation && ` · ${t("regularisation")}`}
                </span>
              </span>
            </button>
            <ConceptMenu
              name={name || t("loose")}
              regularisation={regularisation}
              onSelect={() => onSelect(pictures)}
              onRegularisation={(regularisation) => changes.use(pictures, { regularisation })}
            />
          </li>
        ))}
        {heldOut.length > 0 && (
          <li>
            <button type="button" className={classes.row} onClick={() => onSelect(heldOut)}>
              <span className={classes.name}>{t("held_out")}</span>
              <span className={classes.number}>{number(heldOut.length)}</span>
            </button>
          </li>
        )}
      </ul>
      <FailedParts parts={{ [t("part_layout")]: layout }} />
      {moves > 0 && (
        <Button size="xs" variant="default" fullWidth mt={8} loading={changes.busy} onClick={changes.layOut}>
          {concepts.length > 1 ? t("balance") : t("put_into_folder")}
        </Button>
      )}
      {heldOut.length === 0 && training > 1 && (
        <Button size="xs" variant="default" fullWidth mt={8} loading={changes.busy} onClick={() => changes.holdOut(HELD_OUT)}>
          {t("hold_out_share", { share: percent(HELD_OUT) })}
        </Button>
      )}
    </section>
  );
}
