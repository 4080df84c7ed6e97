import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { Loaded } from "../../components/Loaded";
import classes from "./Home.module.css";
import { SystemCard } from "./SystemCard";

/** Where one begins, and goes on: the projects, a new one, the demo, and what the machine has. */
export function Home() {
  const { t } = useTranslation("home");
  const projects = useGet("/api/projects");
  return (
    <div className={classes.home}>
      <h1>{t("title")}</h1>
      <Loaded of={projects}>{(all) => <p>{t("projects", { count: all.length })}</p>}</Loaded>
      <SystemCard />
    </div>
  );
}
