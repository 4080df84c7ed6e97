import type { ReactNode } from "react";
import classes from "./EmptyState.module.css";

/** Where there is nothing yet: a drawing, one sentence, one button. */
export function EmptyState({ icon, children, action }: { icon: ReactNode; children: ReactNode; action?: ReactNode }) {
  return (
    <div className={classes.state}>
      <div className={classes.icon} aria-hidden>
        {icon}
      </div>
      <p>{children}</p>
      {action}
    </div>
  );
}
