import { Button } from "@mantine/core";
import { FolderX } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { Problem } from "../api/problem";
import { EmptyState } from "./EmptyState";

/** In place of a screen whose project is not there any more, under this name at least: the list of all is the way to find it. */
export function ProjectGone({ problem }: { problem: Problem }) {
  const { t } = useTranslation("frame");
  return (
    <EmptyState
      icon={<FolderX size={32} />}
      action={
        <Button component={Link} href="/">
          {t("find_project")}
        </Button>
      }
    >
      {problem.message}
    </EmptyState>
  );
}
