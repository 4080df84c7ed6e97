import { Portal } from "@mantine/core";
import { ImagePlus } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import classes from "./DropWindow.module.css";
import { type Gathered, gatherDropped } from "./gather";

/** Files, folders and archives can be dropped anywhere on the window; `words` say what becomes of them. */
export function DropWindow({ words, onFiles }: { words: string; onFiles: (files: Gathered[]) => void }) {
  const [over, setOver] = useState(false);
  const take = useRef(onFiles);
  take.current = onFiles;
  useEffect(() => {
    const over = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault(); // else the browser opens what is dropped
      setOver(true);
    };
    const left = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const dropped = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      setOver(false);
      gatherDropped(event.dataTransfer).then((files) => take.current(files));
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", left);
    addEventListener("drop", dropped);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("dragleave", left);
      removeEventListener("drop", dropped);
    };
  }, []);
  if (!over) return null;
  return (
    <Portal>
      <div className={classes.overlay}>
        <ImagePlus size={48} aria-hidden />
        <p>{words}</p>
      </div>
    </Portal>
  );
}
