import { type Gathered, gatherChosen } from "./gather";

/** The browser's dialog for files, or for a folder. Nothing chosen is an empty list. */
export function chooseFiles({ folder = false } = {}): Promise<Gathered[]> {
  const input = document.createElement("input");
  input.type = "file";
  input.multiple = true;
  input.webkitdirectory = folder;
  return new Promise((done) => {
    input.onchange = () => done(gatherChosen(input.files as FileList));
    input.oncancel = () => done([]);
    input.click();
  });
}
