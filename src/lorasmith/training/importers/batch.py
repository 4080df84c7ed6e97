"""Batch files (.bat, .cmd) read as Windows would read them, without running anything.

`set`, `%NAME%`, `^` at a line's end, `call :label` aside, and `if` on variables are followed, on one line or in brackets. What only Windows can
decide - files that exist, error levels - is left out and listed, and a variable that the file does not set stays as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lorasmith.training.importers.shell import Script
from lorasmith.training.importers.shell_words import Values

_IF = re.compile(r"if\s+(?:/i\s+)?(not\s+)?(?:(defined)\s+(\S+)|(exist)\s+(\"[^\"]*\"|\S+)|(errorlevel)\s+\S+|(\"[^\"]*\"|\S+?)\s*(==|\bEQU\b|\bNEQ\b)\s*(\"[^\"]*\"|\S+))\s*(.*)",
                 re.IGNORECASE | re.DOTALL)  # fmt: skip
_SILENT = re.compile(r"(rem|echo|title|pause|cd|pushd|popd|setlocal|endlocal|chcp|color|goto|exit)\b.*|:.*|#.*", re.IGNORECASE)
_SET = re.compile(r'set\s+"?(?:/a\s+)?(\w+)\s*=(.*?)"?', re.IGNORECASE)


def read_batch(text: str) -> Script:
    """The commands of a batch file; raises ValueError where a quote does not close."""
    script, variables = Script(), Values()
    lines = iter([line.strip().removeprefix("@") for line in re.sub(r"\^[ \t]*\n", " ", text).split("\n")])
    for line in lines:
        _follow(line, lines, variables, script, runs=True)
    return script


def _follow(line: str, lines: Iterator[str], variables: Values, script: Script, runs: bool) -> None:
    """A line, with those of its brackets."""
    if condition := _IF.fullmatch(line):
        truth = _holds(condition, variables)
        if truth is None and runs:
            script.unread.append(_replaced(line.removesuffix("(").strip(), variables))
        _follow_if(condition[10], lines, variables, script, (runs and truth is True, runs and truth is False))
    elif runs and line not in (")", ""):
        _run(_replaced(line, variables), variables, script)


def _follow_if(rest: str, lines: Iterator[str], variables: Values, script: Script, runs: tuple[bool, bool]) -> None:
    """What comes behind a condition: one command, or lines in brackets, and the same behind else; `runs` says which of both."""
    branch = 0
    if not rest.startswith("("):
        then, _, other = (
            re.split(r"(\belse\b)", rest, maxsplit=1, flags=re.IGNORECASE) if re.search(r"\)\s*else\b", rest) else (rest, "", "")
        )
        for part, does in ((then, runs[0]), (other, runs[1])):
            if part.strip():
                _follow(part.strip(), lines, variables, script, does)
        return
    if inside := re.fullmatch(r"\(([^()]*)\)\s*(?:else\s*\(([^()]*)\))?", rest, re.IGNORECASE):
        for part, does in ((inside[1], runs[0]), (inside[2] or "", runs[1])):
            _follow(part.strip(), lines, variables, script, does)
        return
    if first := rest[1:].strip():
        _follow(first, lines, variables, script, runs[0])
    for line in lines:
        if re.fullmatch(r"\)\s*else\s*\(", line, re.IGNORECASE):
            branch = 1
        elif line.startswith(")"):
            return
        else:
            _follow(line, lines, variables, script, runs[branch])


def _holds(condition: re.Match[str], variables: Values) -> bool | None:
    """Whether a condition holds; None where only Windows knows."""
    negated, defined, name, exists, _, level, a, sign, b, _ = condition.groups()
    if exists or level:
        return None
    if defined:
        truth = bool("".join(variables.get(name.lower(), [])))
    else:
        first, second = (_replaced(side, variables) for side in (a, b))
        if "%" in first + second:
            first, second = (re.sub(r"%\w+%", "", side) for side in (first, second))  # not set is empty
        truth = (first.lower() == second.lower()) == (sign.upper() != "NEQ")
    return truth != bool(negated)


def _replaced(line: str, variables: Values) -> str:
    return re.sub(r"%(\w+)%|!(\w+)!", lambda m: " ".join(variables.get((m[1] or m[2]).lower(), [m[0]])), line)


def _run(line: str, variables: Values, script: Script) -> None:
    if _SILENT.fullmatch(line):
        return
    if assigned := _SET.fullmatch(line):
        variables[assigned[1].lower()] = [assigned[2].strip().strip('"')]
        return
    script.commands += [words for part in re.split(r"\s+&&?\s+|\s+\|\|?\s+", line) if (words := _words(part))]


def _words(line: str) -> list[str]:
    if line.count('"') % 2:
        raise ValueError("quotes do not close")
    return [word.replace('"', "") for word in re.findall(r'(?:"[^"]*"|[^\s"])+', line)]
