import { CloseButton, TextInput } from "@mantine/core";
import { Search } from "lucide-react";
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Problem } from "../../api/problem";
import { useGet } from "../../api/queries";
import { number } from "../format";
import { SuggestionList } from "../suggestions/SuggestionList";
import { completionsOf, wordStart } from "./completion";
import classes from "./FilterField.module.css";

const STILL_FOR = 400; // milliseconds without a letter before the filter is asked for
const MOST_TAGS = 10_000;
const NONE: readonly Finding[] = [];

/** A finding that the field may be asked for by its name. */
export interface Finding {
  code: string;
  name: string;
  count: number;
}

interface Props {
  project: string;
  filter: string;
  onFilter: (filter: string) => void;
  problem?: Problem | null;
  findings?: readonly Finding[];
  /** Show the pictures with a finding. */
  onFinding?: (code: string) => void;
}

/** A filter in the language of the command line, with what a word of it can become: Tab takes the first. It is asked for when the typing stops. */
export function FilterField({ project, filter, onFilter, problem, findings = NONE, onFinding }: Props) {
  const { t } = useTranslation("filter");
  const list = useId();
  const field = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState(filter);
  const [caret, setCaret] = useState(filter.length);
  const [opened, setOpened] = useState(false);
  const [marked, setMarked] = useState(-1);
  useEffect(() => setTyped(filter), [filter]);
  useEffect(() => {
    if (typed === filter) return;
    const timer = setTimeout(() => onFilter(typed), STILL_FOR);
    return () => clearTimeout(timer);
  }, [typed, filter, onFilter]);

  const params = { path: { project }, query: { count: MOST_TAGS } };
  const { data: tags } = useGet("/api/projects/{project}/tags", params, { enabled: opened });
  const start = wordStart(typed, caret);
  const word = typed.slice(start, caret);
  const options = [
    ...completionsOf(word, typed.slice(0, start), tags ?? []).map(({ becomes, kind, count }) => ({
      key: becomes,
      words: becomes.trim(),
      hint: kind === "tag" ? number(count ?? 0) : t(hintOf(becomes.trim(), kind)),
      take: () => put(becomes),
    })),
    ...found(findings, word).map(({ code, name, count }) => ({
      key: code,
      words: name,
      hint: t("finding", { count, shown: number(count) }),
      take: () => {
        put("");
        onFinding?.(code);
      },
    })),
  ];
  const shown = opened && options.length > 0;

  /** Something in place of the word before the caret. */
  function put(words: string): void {
    const next = typed.slice(0, start) + words + typed.slice(caret);
    setTyped(next);
    setCaret(start + words.length);
    setMarked(-1);
    requestAnimationFrame(() => field.current?.setSelectionRange(start + words.length, start + words.length));
  }

  /** What a key does here; undefined for those that do what they always do. */
  function actOf({ key, shiftKey }: KeyboardEvent): (() => void) | undefined {
    switch (key) {
      case "Enter":
        return shown && marked >= 0 ? options[marked]?.take : () => onFilter(typed);
      case "Tab":
        return shown && word !== "" && !shiftKey ? options[Math.max(marked, 0)]?.take : undefined;
      case "ArrowDown":
        return () => (shown ? setMarked((marked + 1) % options.length) : setOpened(true));
      case "ArrowUp":
        return shown ? () => setMarked(marked <= 0 ? options.length - 1 : marked - 1) : undefined;
      case "Escape":
        return shown ? () => setOpened(false) : typed ? () => onFilter("") : undefined;
      default:
        return undefined;
    }
  }

  function pressed(event: KeyboardEvent): void {
    const act = event.nativeEvent.isComposing || event.ctrlKey || event.metaKey || event.altKey ? undefined : actOf(event);
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  return (
    <div className={classes.field}>
      <TextInput
        ref={field}
        data-filter
        role="combobox"
        aria-label={t("filter")}
        aria-expanded={shown}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={shown && marked >= 0 ? `${list}${marked}` : undefined}
        placeholder={t("hint")}
        leftSection={<Search size={16} aria-hidden />}
        rightSection={typed && <CloseButton size="sm" aria-label={t("clear")} onClick={() => onFilter("")} />}
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          setCaret(event.currentTarget.selectionStart ?? event.currentTarget.value.length);
          setMarked(-1);
          setOpened(true);
        }}
        onSelect={(event) => setCaret(event.currentTarget.selectionStart ?? typed.length)}
        onKeyDown={pressed}
        onBlur={() => setOpened(false)}
        error={filter && problem?.code === "captions.filter" ? problem.message : undefined}
        spellCheck={false}
        autoComplete="off"
      />
      <SuggestionList
        id={list}
        label={t("suggestions")}
        shown={shown}
        suggestions={options}
        marked={marked}
        onTake={(at) => options[at]?.take()}
      />
    </div>
  );
}

/** The findings whose name has the word in it. */
function found(findings: readonly Finding[], word: string): readonly Finding[] {
  const wanted = word.toLowerCase();
  return wanted === "" ? NONE : findings.filter(({ name }) => name.toLowerCase().includes(wanted));
}

/** The sentence that says what a field, a comparison or a joining word does. */
function hintOf(becomes: string, kind: "field" | "comparison" | "word"): string {
  return kind === "comparison"
    ? `compares_${{ ">": "more", "<": "fewer", "=": "exactly" }[becomes.slice(-1)]}`
    : `says_${becomes.replace(":", "").toLowerCase()}`;
}
