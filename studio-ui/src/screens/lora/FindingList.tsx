import type { Shape } from "../../api/client";
import { FindingCard } from "../../components/FindingCard";
import classes from "./Lora.module.css";

type Finding = Shape<"FindingView">;

/** What is wrong or odd with a file; `sound` is said where there is nothing. */
export function FindingList({ findings, sound }: { findings: unknown; sound?: string }) {
  const found = Array.isArray(findings) ? (findings as Finding[]) : [];
  if (found.length === 0) return sound ? <p role="status">{sound}</p> : null;
  return (
    <ul className={classes.findings}>
      {found.map((finding) => (
        <li key={finding.code + finding.message}>
          <FindingCard finding={finding} />
        </li>
      ))}
    </ul>
  );
}
