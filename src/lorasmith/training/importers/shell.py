"""Shell scripts read as a shell would read them, without running anything.

    read_shell('rank=16 # size\naccelerate launch train_network.py --network_dim=$rank').commands
    [["accelerate", "launch", "train_network.py", "--network_dim=16"]]

Quotes, comments, line continuations, assignments, arrays, defaults (`${x:-8}`), functions, here-documents, and `if` and `case` on variables are
followed; of a loop, its first turn. What only a shell could know - other programs' output, files that exist - is not: such a condition's
branch is left out and listed in `unread`, and a variable that the script does not set stays as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from lorasmith.training.importers.shell_words import Values, expand, split_commands


@dataclass
class Script:
    """What a script would run."""

    commands: list[list[str]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Conditions that cannot be decided; what depends on them is left out."""
    loops: list[str] = field(default_factory=list)
    """Variables of loops that run several times, of which the first is followed."""
    files: dict[str, str] = field(default_factory=dict)
    """Files that it writes: name -> text."""


@dataclass
class Branch:
    """An `if` or a `case` that is open: whether its present part runs, and whether a part has run already."""

    runs: bool
    done: bool
    value: str | None = None
    """Of a case: what its patterns are compared with."""
    patterns: list[str] | None = None
    """Of a case: those so far of the next part; None while a part runs."""


def read_shell(text: str) -> Script:
    """The commands of a script for sh or bash; raises ValueError where a quote or a bracket does not close."""
    script, variables = Script(), Values()
    text, documents = _without_here_documents(text.replace("\x00", ""))
    commands, functions = _without_functions(split_commands(text))
    _follow(commands, Place(variables, functions, documents), script)
    return script


@dataclass
class Place:
    """What a command of a script sees."""

    variables: Values
    functions: Mapping[str, list[list[str]]]
    documents: Sequence[HereDocument]
    depth: int = 0
    """How many functions it is inside of."""


def _follow(commands: Iterable[list[str]], place: Place, script: Script) -> None:
    """Run commands in their order, with the branches of if and case that hold."""
    branches = list[Branch]()
    for words in commands:
        words = _control(words, place.variables, branches, script)
        if not words or not all(branch.runs for branch in branches):
            continue
        if words[0] in place.functions and place.depth < _DEEPEST:
            given = [part for word in words[1:] for part in expand(word, place.variables)]
            own = {str(n): [part] for n, part in enumerate(given, 1)} | {"@": given, "*": given}
            place.variables.update(own)
            _follow(place.functions[words[0]], replace(place, depth=place.depth + 1), script)
        elif words[0] == HERE:
            document = place.documents[int(words[1])]
            target = "".join(expand(document.target, place.variables))
            script.files[target] = document.body if document.is_quoted else _expanded(document.body, place.variables)
        else:
            _run(words, place.variables, script)


_DEEPEST = 8
"""A function that calls itself ends here."""


# -- here-documents and functions ---------------------------------------------------------------------------------------

HERE = "\x00here"
"""A command in place of a here-document that is written to a file."""


@dataclass(frozen=True)
class HereDocument:
    """Text that a script writes to a file."""

    target: str
    """A raw word."""
    body: str
    is_quoted: bool
    """Whether its variables stay as they are written."""


_HERE = re.compile(r"^([^\n#]*?)<<-?\s*(['\"]?)(\w+)\2([^\n]*)\n(.*?\n)??[ \t]*\3[ \t]*$", re.DOTALL | re.MULTILINE)
_TARGET = re.compile(r"(?:>>?|\btee\s+(?:-a\s+)?)\s*((?:\"[^\"]*\"|'[^']*'|[^\s;&|])+)")


def _without_here_documents(text: str) -> tuple[str, list[HereDocument]]:
    """A script whose here-documents are taken out, and those that it writes to files."""
    documents = list[HereDocument]()

    def taken(found: re.Match[str]) -> str:
        before, quote, _, after, body = found.groups()
        target = _TARGET.search(f"{before} {after}")
        if target is None:
            return f"{before} {after}"
        documents.append(HereDocument(target[1], body or "", bool(quote)))
        return f"{HERE} {len(documents) - 1}"

    return _HERE.sub(taken, text), documents


def _expanded(body: str, variables: Values) -> str:
    """A here-document with its variables replaced."""
    escaped = body.replace('"', '\\"')
    return "".join(expand(f'"{escaped}"', variables))


def _without_functions(commands: list[list[str]]) -> tuple[list[list[str]], dict[str, list[list[str]]]]:
    """The commands outside of functions, and those of each function: `name() { ... }` or `function name { ... }`."""
    rest, functions, at = list[list[str]](), dict[str, list[list[str]]](), 0
    while at < len(commands):
        words = commands[at]
        name = words[1] if words[0] == "function" and len(words) > 1 else words[0] if commands[at + 1 : at + 3] == [["("], [")"]] else ""
        start = next((n for n in range(at, min(at + 4, len(commands))) if "{" in commands[n]), None)
        if not name or start is None:
            rest.append(words)
            at += 1
            continue
        opened, body = commands[start][commands[start].index("{") + 1 :], list[list[str]]()
        body += [opened] if opened else []
        depth, at = 1, start + 1
        while at < len(commands) and depth:
            depth += (commands[at][0] == "{") - (commands[at][0] == "}")
            if depth:
                body.append(commands[at])
            at += 1
        functions[name] = body
    return rest, functions


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
    """Follow if, case and for; what is left of the command is returned."""
    first = words[0]
    if first == "case" and len(words) > 1:
        value = " ".join(expand(words[1], variables))
        if "$" in value and all(branch.runs for branch in branches):
            script.unread.append(f"case {words[1]}")
        branches.append(Branch(runs=False, done="$" in value, value=value, patterns=words[3:]))
        return []
    if branches and branches[-1].value is not None and first != "esac":
        return _in_case(words, branches[-1], variables)
    if first == "esac" and branches:
        branches.pop()
        return []
    if first in ("(", ")", ";;"):
        return []
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
        values = [part for word in words[3:] for part in expand(word, variables)]
        if len(values) > 1 and all(branch.runs for branch in branches):
            script.loops.append(words[1])
        variables[words[1]] = values[:1]
        return []
    return words[1:] if first in ("then", "do", "done", "{", "}", "while", "function") else words


def _in_case(words: list[str], case: Branch, variables: Values) -> list[str]:
    """A command in a case: more patterns, the bracket that ends them, the ;; that ends a part, or one of its commands."""
    if words == [";;"]:
        case.runs, case.patterns = False, []
        return []
    if case.patterns is None:
        return words
    if words == [")"]:
        patterns = ["".join(expand(word, variables)) for word in case.patterns]
        case.runs = not case.done and any(fnmatchcase(case.value or "", pattern) for pattern in patterns)
        case.done, case.patterns = case.done or case.runs, None
    elif words != ["("]:
        case.patterns += words
    return []


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
