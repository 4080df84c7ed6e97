import type { UseQueryResult } from "@tanstack/react-query";
import type { Shape } from "../../api/client";
import type { Problem } from "../../api/problem";
import { Waiting } from "../../components/Loaded";
import { AuditDials } from "./AuditDials";
import { ConceptList } from "./ConceptList";
import type { Division } from "./concepts";
import { FindingList } from "./FindingList";
import { ScoreCard } from "./ScoreCard";
import classes from "./SideList.module.css";
import type { PictureChanges } from "./usePictureChanges";

interface Props {
  project: string;
  audit: UseQueryResult<Shape<"AuditView">, Problem>;
  division: Division;
  changes: PictureChanges;
  /** What the gallery is narrowed to. */
  finding: string;
  concept: string;
  onFinding: (code: string) => void;
  onConcept: (name: string) => void;
  /** Select these pictures in the gallery. */
  onSelect: (pictures: readonly string[]) => void;
}

const SCORE_HEIGHT = 84; // pixels

/** What is wrong with the pictures, what they are trained for, and the score. */
export function SideList(props: Props) {
  const { data: audit, isFetched, isLoading } = props.audit;
  return (
    <aside className={classes.side}>
      {isLoading && <Waiting height={SCORE_HEIGHT} />}
      {audit && <ScoreCard audit={audit} />}
      {audit && <FindingList {...props} audit={audit} />}
      {audit && <AuditDials {...props} audit={audit} />}
      <ConceptList {...props} quiet={isFetched} />
    </aside>
  );
}
