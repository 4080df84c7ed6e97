"""The words of a shell's commands: quotes, variables, arrays, arithmetic and here-documents."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from fnmatch import fnmatchcase

Values = dict[str, list[str]]
"""Variable -> its words; one for a plain variable."""


def split_commands(text: str) -> list[list[str]]:
    """Commands as raw words, their quotes and variables untouched; a bracket, and the ;; of a case, is a command of its own."""
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
                if char in "()" or text.startswith(";;", at - 1):
                    commands.append([char if char in "()" else ";;"])
                    at += char == ";"
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
    if (array := _WHOLE_ARRAY.fullmatch(word)) and variables.get(array[1]) == []:
        return []  # the one thing in quotes that is no word
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


_WHOLE_ARRAY = re.compile(r'"\$\{(\w+)\[@\]\}"')
_BRACED = re.compile(r"(\w+)(\[[@*\d]+\])?(?:(:?[-=+]|##?|%%?)(.*))?", re.DOTALL)
_PLAIN = re.compile(r"\$([A-Za-z_]\w*|[\d@*])")


def _parameter(word: str, at: int, variables: Values) -> tuple[list[str], int] | None:
    """The value of $name or ${name...} and the place behind it; None where the script does not set it."""
    if word.startswith("$((", at):
        end = closing(word, at + 1)
        number = _computed("".join(expand(f'"{word[at + 3 : end - 2]}"', variables)), variables)
        return None if number is None else ([str(number)], end)
    if word.startswith("${", at):
        end = closing(word, at + 1)
        parts = _BRACED.fullmatch(word[at + 2 : end - 1])
        if parts is None:
            return None
        name, _, sign, other = parts.groups()
        if sign and sign[0] in "#%":
            return (
                ([_stripped(value, sign, "".join(expand(other, variables))) for value in variables[name]], end)
                if name in variables
                else None
            )
        is_given = name in variables and (variables[name] not in ([], [""]) or not (sign or "").startswith(":"))
        if sign and sign.endswith("+"):
            return (expand(other, variables) if is_given else []), end
        if is_given or (name in variables and not sign):
            return variables[name], end
        return (expand(other, variables), end) if sign else None
    plain = _PLAIN.match(word, at)
    return (variables[plain[1]], plain.end()) if plain and plain[1] in variables else None


def _stripped(value: str, operator: str, pattern: str) -> str:
    """A value without what matches at its front (#, ##) or end (%, %%), the shortest or the longest."""
    ends = range(len(value) + 1) if len(operator) == 1 else range(len(value), -1, -1)
    for length in ends:
        part = value[:length] if operator[0] == "#" else value[len(value) - length :]
        if fnmatchcase(part, pattern):
            return value[length:] if operator[0] == "#" else value[: len(value) - length]
    return value


_SUMS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip


def _computed(text: str, variables: Values) -> int | None:
    """The whole number that `16 / 2` is; None where it is more than plain arithmetic."""
    text = re.sub(r"[A-Za-z_]\w*", lambda name: "".join(variables.get(name[0], ["?"])), text)
    try:
        return _number(ast.parse(text.strip().replace("/", "//"), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError):
        return None


def _number(node: ast.expr) -> int:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_number(inner)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _SUMS:
            return _SUMS[type(sign)](_number(left), _number(right))
    raise ValueError("more than plain arithmetic")
