import { FolderX } from "lucide-react";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import type { Problem } from "../api/problem";
import { rememberProject } from "../frame/project";
import { NotThere } from "./NotThere";

/** In place of a screen of a project that is not there any more; the other screens do not go on with it. */
export function ProjectGone({ problem }: { problem: Problem }) {
  const { t } = useTranslation("frame");
  useEffect(() => rememberProject(""), []);
  return <NotThere problem={problem} href="/" words={t("find_project")} icon={<FolderX size={32} />} />;
}
