import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { useConnected } from "../events/news";
import { KeysDialog } from "../keys/KeysDialog";
import { hasTyped } from "../keys/typing";
import { useKeys } from "../keys/useKeys";
import classes from "./Frame.module.css";
import { JobDrawer } from "./JobDrawer";
import { Palette } from "./Palette";
import { PLACES } from "./places";
import { useProjectId } from "./project";
import { Rail } from "./Rail";
import { TopBar } from "./TopBar";
import { useUndo } from "./undo";

/** What stands around every screen: the rail, the top bar, the job drawer, and the keys that work everywhere. */
export function Frame({ children }: { children: ReactNode }) {
  const { t } = useTranslation("frame");
  const project = useProjectId();
  const [, go] = useLocation();
  const [keys, showKeys] = useState(false);
  const [jobs, showJobs] = useState(false);
  const connected = useConnected();
  const undo = useUndo(project);

  const places = PLACES.filter((place) => place.key && (project || !place.ofProject));
  useKeys({
    "?": () => showKeys(true),
    "Ctrl+Z": (event) => !hasTyped(event) && undo.undo?.(),
    "Ctrl+Shift+Z": (event) => !hasTyped(event) && undo.redo?.(),
    "/": () => focusFilter(),
    ...Object.fromEntries(places.map((place) => [`g ${place.key}`, () => go(place.address(encodeURIComponent(project)))])),
  });

  return (
    <div className={classes.frame}>
      <a className={classes.skip} href="#content">
        {t("skip")}
      </a>
      <Rail project={project} />
      <TopBar project={project} undo={undo} onKeys={() => showKeys(true)} onJobs={() => showJobs(true)} />
      <main id="content" className={classes.content} tabIndex={-1}>
        {!connected && (
          <p className={classes.offline} role="status">
            {t("offline")}
          </p>
        )}
        {children}
      </main>
      <JobDrawer opened={jobs} onClose={() => showJobs(false)} />
      <KeysDialog opened={keys} onClose={() => showKeys(false)} />
      <Palette onKeys={() => showKeys(true)} onJobs={() => showJobs(true)} />
    </div>
  );
}

function focusFilter(): boolean {
  const filter = document.querySelector<HTMLElement>("[data-filter]");
  filter?.focus();
  return filter !== null;
}
