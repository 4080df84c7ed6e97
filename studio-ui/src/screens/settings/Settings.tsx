import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { LibraryFolders } from "../../components/folders/LibraryFolders";
import { useAddressPart } from "../../state/address";
import { Appearance } from "./Appearance";
import { Models } from "./Models";
import classes from "./Settings.module.css";
import { SECTIONS, type Section, sectionOf } from "./sections";

/** What holds for all projects: how the page looks, where LoRAs are, and the models that there are to choose from. */
export default function Settings() {
  const { t } = useTranslation("settings");
  const section = sectionOf(useAddressPart("section"));
  return (
    <div className={classes.settings}>
      <nav className={classes.sections} aria-label={t("sections")}>
        <ul>
          {(Object.keys(SECTIONS) as Section[]).map((name) => {
            const Icon = SECTIONS[name].icon;
            return (
              <li key={name}>
                <Link href={`/settings/${name}`} className={classes.link} aria-current={name === section ? "page" : undefined}>
                  <Icon size={16} aria-hidden />
                  {t(name)}
                </Link>
              </li>
            );
          })}
        </ul>
      </nav>
      <section className={classes.content} aria-labelledby="section">
        <h1 id="section" className={classes.title}>
          {t(section)}
        </h1>
        <Content section={section} />
      </section>
    </div>
  );
}

function Content({ section }: { section: Section }) {
  if (section === "appearance") return <Appearance />;
  if (section === "folders") return <LibraryFolders />;
  return <Models key={section} kind={SECTIONS[section].kind} />;
}
