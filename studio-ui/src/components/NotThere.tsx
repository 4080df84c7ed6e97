import { Button } from "@mantine/core";
import { FileX2 } from "lucide-react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Problem } from "../api/problem";
import { EmptyState } from "./EmptyState";

interface Props {
  problem: Problem;
  /** The list in which it may be found under another name, and what the way there is called. */
  href: string;
  words: string;
  icon?: ReactNode;
}

/** In place of a screen whose thing is not there any more, under this name at least: why, and the list of all in which to find it. */
export function NotThere({ problem, href, words, icon = <FileX2 size={32} /> }: Props) {
  return (
    <EmptyState
      icon={icon}
      action={
        <Button component={Link} href={href}>
          {words}
        </Button>
      }
    >
      {problem.message}
    </EmptyState>
  );
}
