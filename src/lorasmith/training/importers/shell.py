"""Shell scripts read as a shell would read them, without running anything.

    read_shell('rank=16 # size\naccelerate launch train_network.py --network_dim=$rank').commands
    [["accelerate", "launch", "train_network.py", "--network_dim=16"]]

Quotes, comments, line continuations, assignments, arrays, defaults (`${x:-8}`) and `if` on variables are followed. What only a shell
could know - other programs' output, files that exist - is not: such a condition's branch is left out and listed in `unread`, and a
variable that the script does not set stays as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

Values = dict[str, list[str]]
"""Variable -> its words; one for a plain variable."""


@dataclass
class Script:
    """What a script would run."""

    commands: list[list[str]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Conditions that cannot be decided; what depends on them is left out."""


@dataclass
class Branch:
    """An `if` that is open: whether its present part runs, and whether a part has run already."""

    runs: bool
    done: bool


def read_shell(text: str) -> Script:
    """The commands of a script for sh or bash; raises ValueError where a quote or a bracket does not close."""
    script, variables, branches = Script(), Values(), list[Branch]()
    for words in split_commands(_without_here_documents(text)):
        words = _control(words, variables, branches, script)
        if words and all(branch.runs for branch in branches):
            _run(words, variables, script)
    return script


# -- words ------------------------------------------------------------------------------------------------------------


def _without_here_documents(text: str) -> str:
    return re.sub(r"<<-?\s*(['\"]?)(\w+)\1([^\n]*)\n(?:.*?\n)?\s*\2[ \t]*(?=\n|$)", r"\3", text, flags=re.DOTALL)


def split_commands(text: str) -> list[list[str]]:
    """Commands as raw words, their quotes and variables untouched."""
    commands: list[list[str]] = [[]]
    word, at = "", 0

    def end_word() -> None:
        nonlocal word
        if word:
            commands[-1].append(word)
        word = ""

    while at < len(text):
        char = text[at]
        if text.startswith("\\\n", at):
            at += 2
        elif char == "\\":
            word, at = word + text[at : at + 2], at + 2
        elif char in "'\"`" or text.startswith(("$(", "${"), at) or (char == "(" and word.endswith("=")):
            end = closing(text, at + (char == "$"))
            word, at = word + text[at:end], end
        elif char == "#" and not word:
            at = text.find("\n", at) if "\n" in text[at:] else len(text)
        elif redirection := re.compile(r"[<>]+&?\s*[^\s;&|]*").match(text, at):
            word = "" if word.isdigit() else word
            end_word()
            at = redirection.end()
        else:
            at += 1
            if char in " \t\n;&|()":
                end_word()
                if char not in " \t":
                    commands.append([])
            else:
                word += char
    end_word()
    return [command for command in commands if command]


def closing(text: str, at: int) -> int:
    """The place behind what the quote or bracket at `at` opens; raises ValueError where it does not close."""
    opened = text[at]
    end = {"(": ")", "{": "}"}.get(opened, opened)
    n = at + 1
    while n < len(text):
        if text[n] == "\\" and opened != "'":
            n += 2
        elif text[n] == end:
            return n + 1
        elif (opened != "'" and text.startswith(("$(", "${"), n)) or (opened in "({" and text[n] in "'\"("):
            n = closing(text, n + (text[n] == "$"))
        else:
            n += 1
    raise ValueError("quotes do not close" if opened in "'\"`" else f"a bracket {opened} does not close")


def expand(word: str, variables: Values) -> list[str]:
    """A raw word as the shell hands it on: quotes removed, variables replaced, and split where they are not quoted."""
    found: list[str] = []
    current: str | None = None
    quoted, at = False, 0
    while at < len(word):
        char = word[at]
        if char == "'" and not quoted:
            end = closing(word, at)
            current, at = (current or "") + word[at + 1 : end - 1], end
        elif char == '"':
            quoted, current, at = not quoted, current or "", at + 1
        elif char == "\\" and (not quoted or word[at + 1 : at + 2] in '"\\$`'):
            current, at = (current or "") + word[at + 1 : at + 2], at + 2
        elif char == "$" and (replaced := _parameter(word, at, variables)) is not None:
            values, at = replaced
            parts = values if quoted else [part for value in values for part in value.split()]
            for n, part in enumerate(parts):
                if n:
                    found.append(current or "")
                    current = ""
                current = (current or "") + part
        else:
            current, at = (current or "") + char, at + 1
    return found if current is None else [*found, current]


_BRACED = re.compile(r"(\w+)(\[[@*\d]+\])?(?:(:?[-=+])(.*))?", re.DOTALL)


def _parameter(word: str, at: int, variables: Values) -> tuple[list[str], int] | None:
    """The value of $name or ${name...} and the place behind it; None where the script does not set it."""
    if word.startswith("${", at):
        end = closing(word, at + 1)
        parts = _BRACED.fullmatch(word[at + 2 : end - 1])
        if parts is None:
            return None
        name, _, operator, other = parts.groups()
        is_given = name in variables and (variables[name] not in ([], [""]) or not (operator or "").startswith(":"))
        if operator and operator.endswith("+"):
            return (expand(other, variables) if is_given else []), end
        if is_given or (name in variables and not operator):
            return variables[name], end
        return (expand(other, variables), end) if operator else None
    plain = re.compile(r"\$([A-Za-z_]\w*)").match(word, at)
    return (variables[plain[1]], plain.end()) if plain and plain[1] in variables else None


# -- commands ---------------------------------------------------------------------------------------------------------

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\+?)=(.*)", re.DOTALL)
_DECLARING = ("export", "declare", "local", "readonly", "typeset")


def _run(words: list[str], variables: Values, script: Script) -> None:
    """One command: its assignments are remembered, everything else is a command with its words expanded."""
    if words[0] in _DECLARING:
        words = [word for word in words[1:] if not word.startswith("-")]
    count = next((n for n, word in enumerate(words) if not _ASSIGNMENT.fullmatch(word)), len(words))
    if count < len(words):
        script.commands.append([part for word in words[count:] for part in expand(word, variables)])
        return
    for word in words:
        name, adds, value = _ASSIGNMENT.fullmatch(word).groups()  # type: ignore[union-attr]
        if value.startswith("("):
            new = [part for command in split_commands(value[1:-1]) for raw in command for part in expand(raw, variables)]
            variables[name] = [*variables.get(name, []), *new] if adds else new
        else:
            new = ["".join(expand(f'"{value}"' if _is_bare(value) else value, variables))]
            variables[name] = ["".join((*variables.get(name, []), *new))] if adds else new


def _is_bare(value: str) -> bool:
    """A value is not split at the spaces of its variables."""
    return not re.search(r"""['"\\]""", value)


def _control(words: list[str], variables: Values, branches: list[Branch], script: Script) -> list[str]:
    """Follow if, elif, else and fi; what is left of the command is returned."""
    first = words[0]
    if first == "if":
        outer = all(branch.runs for branch in branches)
        branches.append(_branch(words[1:], variables, script, outer))
        return []
    if first in ("elif", "else", "fi") and branches:
        before = branches.pop()
        if first == "fi":
            return []
        if first == "elif" and not before.done:
            branches.append(_branch(words[1:], variables, script, True))
            return []
        branches.append(Branch(runs=first == "else" and not before.done, done=True))
        return words[1:] if first == "else" else []
    if first == "for" and len(words) > 3 and words[2] == "in":
        variables[words[1]] = [part for word in words[3:] for part in expand(word, variables)][:1]
        return []
    return words[1:] if first in ("then", "do", "done", "{", "}", "while", "case", "esac", "function") else words


def _branch(condition: list[str], variables: Values, script: Script, outer: bool) -> Branch:
    truth = decide([" ".join(expand(word, variables)) for word in condition])
    if truth is None and outer:
        script.unread.append(" ".join(condition))
    return Branch(runs=bool(truth), done=bool(truth))


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "-eq": lambda a, b: a == b, "-ne": lambda a, b: a != b, "-gt": lambda a, b: a > b, "-lt": lambda a, b: a < b,
    "-ge": lambda a, b: a >= b, "-le": lambda a, b: a <= b,
}  # fmt: skip


def decide(words: list[str]) -> bool | None:
    """Whether `[ a == b ]` holds; None where the words alone do not say."""
    if words[:1] not in (["["], ["[["], ["test"]):
        return None
    inner = [word for word in words[1:] if word not in ("]", "]]")]
    if inner[:1] == ["!"]:
        truth = decide([words[0], *inner[1:]])
        return None if truth is None else not truth
    if any("$" in word for word in inner):
        return None  # of a variable that is not set here
    match inner:
        case []:
            return False
        case [value]:
            return bool(value)
        case ["-n", value]:
            return bool(value)
        case ["-z", *value]:
            return not any(value)
        case [a, "=" | "==", b]:
            return a == b
        case [a, "!=", b]:
            return a != b
        case [a, operator, b] if operator in _COMPARISONS:
            try:
                return _COMPARISONS[operator](float(a or 0), float(b or 0))
            except ValueError:
                return None
    return None
