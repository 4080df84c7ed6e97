import { Tooltip } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "wouter";
import { useGet } from "../api/queries";
import { StudioImage } from "../components/image/StudioImage";
import { PLACES, type Place } from "./places";
import classes from "./Rail.module.css";

/** The places one can go to: home, the open project's screens, and what belongs to all projects. */
export function Rail({ project }: { project: string }) {
  const { t } = useTranslation("frame");
  const running = useRunning();
  const here = PLACES.filter((place) => project || !place.ofProject);
  return (
    <nav className={classes.rail} aria-label={t("places")}>
      <Link href="/" className={classes.mark} aria-label="Lorasmith">
        <StudioImage src="/icon.svg" alt="" width={24} height={24} />
        <span className={classes.words}>Lorasmith</span>
      </Link>
      <ul>
        {here.map((place) => (
          <li key={place.name}>
            <RailLink place={place} project={project} live={place.name === "runs" && running} />
          </li>
        ))}
      </ul>
    </nav>
  );
}

function RailLink({ place, project, live }: { place: Place; project: string; live: boolean }) {
  const { t } = useTranslation("frame");
  const [path] = useLocation();
  const address = place.address(encodeURIComponent(project));
  const current = address === "/" ? path === "/" : path === address || path.startsWith(`${address}/`);
  const Icon = place.icon;
  return (
    <Tooltip label={t(place.name)} position="right" classNames={{ tooltip: classes.tooltip }}>
      <Link href={address} className={classes.link} aria-current={current ? "page" : undefined} data-place={place.name}>
        <Icon size={18} aria-hidden />
        <span className={classes.words}>{t(place.name)}</span>
        {live && (
          <span className={classes.dot}>
            <span className="visually-hidden">{t("running")}</span>
          </span>
        )}
      </Link>
    </Tooltip>
  );
}

function useRunning(): boolean {
  const { data } = useGet("/api/jobs");
  return data?.some((job) => job.state === "running" && job.kind === "train") ?? false;
}
