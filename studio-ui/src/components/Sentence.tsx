import { useGet } from "../api/queries";
import { useProjectId } from "../frame/project";
import { knownFolders, shortened } from "./paths";

/** What the studio says, with paths below the open project as a person knows them; the whole sentence is its tooltip. */
export function Sentence({ children: text }: { children: string }) {
  const project = useProjectId();
  const { data } = useGet("/api/projects/{project}", { path: { project } }, { enabled: project !== "" });
  const short = data ? shortened(text, knownFolders(data)) : text;
  return short === text ? text : <span title={text}>{short}</span>;
}
