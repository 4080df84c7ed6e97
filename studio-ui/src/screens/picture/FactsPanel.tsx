import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import type { MendChange } from "../../components/changes";
import { FindingCard } from "../../components/FindingCard";
import { PictureFactsList } from "../images/PictureFactsList";
import { subjectsOf } from "../images/subjectsOf";
import classes from "./Picture.module.css";

interface Props {
  facts: Shape<"PictureFacts">;
  busy: boolean;
  onMend: (changes: MendChange[], pictures: string[]) => void;
}

/** What is wrong with a picture, and what is known of it. */
export function FactsPanel({ facts, busy, onMend }: Props) {
  const { t } = useTranslation("picture");
  return (
    <aside className={classes.panel}>
      {facts.findings.length === 0 && <p className="soft">{t("nothing_wrong")}</p>}
      {facts.findings.map((finding) => (
        <FindingCard
          key={finding.code}
          finding={finding}
          busy={busy}
          onMend={(changes) => onMend(changes, subjectsOf(finding, facts.id))}
        />
      ))}
      <PictureFactsList facts={facts} />
    </aside>
  );
}
