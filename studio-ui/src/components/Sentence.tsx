import { Code } from "@mantine/core";
import { useGet } from "../api/queries";
import { useProjectId } from "../frame/project";
import { knownFolders, shortened } from "./paths";

/** What the studio says, with paths below the open project as a person knows them, and commands set apart; the whole sentence is its tooltip. */
export function Sentence({ children: text }: { children: string }) {
  const project = useProjectId();
  const { data } = useGet("/api/projects/{project}", { path: { project } }, { enabled: project !== "" });
  const short = data ? shortened(text, knownFolders(data)) : text;
  const words = short.includes("`") ? <Commands>{short}</Commands> : short;
  return short === text ? words : <span title={text}>{words}</span>;
}

/** Words with what stands between backticks as code. */
function Commands({ children: text }: { children: string }) {
  // biome-ignore lint/suspicious/noArrayIndexKey: parts are told apart by their place alone
  return text.split("`").map((part, at) => (at % 2 === 1 ? <Code key={at}>{part}</Code> : part));
}
