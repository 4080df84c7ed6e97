import { CloseButton, TextInput } from "@mantine/core";
import { Search } from "lucide-react";
import { type KeyboardEvent, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Problem } from "../api/problem";

const STILL_FOR = 400; // milliseconds without a letter before the filter is asked for

/** A filter in the language of the command line: asked for when the typing stops. What is wrong with it stands below, in the studio's words. */
export function FilterField({
  filter,
  onFilter,
  problem,
}: {
  filter: string;
  onFilter: (filter: string) => void;
  problem?: Problem | null;
}) {
  const { t } = useTranslation("filter");
  const [typed, setTyped] = useState(filter);
  useEffect(() => setTyped(filter), [filter]);
  useEffect(() => {
    if (typed === filter) return;
    const timer = setTimeout(() => onFilter(typed), STILL_FOR);
    return () => clearTimeout(timer);
  }, [typed, filter, onFilter]);

  function pressed(event: KeyboardEvent): void {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter") onFilter(typed);
    if (event.key === "Escape" && typed) {
      event.stopPropagation();
      onFilter("");
    }
  }

  return (
    <TextInput
      data-filter
      aria-label={t("filter")}
      placeholder={t("hint")}
      leftSection={<Search size={16} aria-hidden />}
      rightSection={typed && <CloseButton size="sm" aria-label={t("clear")} onClick={() => onFilter("")} />}
      value={typed}
      onChange={(event) => setTyped(event.currentTarget.value)}
      onKeyDown={pressed}
      error={filter && problem?.code === "captions.filter" ? problem.message : undefined}
      spellCheck={false}
      autoComplete="off"
    />
  );
}
