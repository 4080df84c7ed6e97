"""PowerShell scripts read as PowerShell would read them, without running anything.

Strings with their variables, doubled quotes and backticks, comments, line continuations, `Join-Path`, `+`, arrays that are added to, and
`if` on variables are followed, entries of tables, here-strings and parameters with a default; of a loop, its first turn. As with `shell`, what cannot be decided is left out and listed, and a variable that the script does not
set stays as it is written.
"""

from __future__ import annotations

import re

from lorasmith.training.importers.shell import Branch, Script, decide
from lorasmith.training.importers.shell_words import Values

_ASSIGNMENT = re.compile(r"(?:\[[\w.\[\]<>]+\]\s*)*\$(?:\w+:)?(\w+)\s*(\+?)=\s*(.*)", re.DOTALL)
_ADD = re.compile(r"(?:\[void\]\s*)?\$(\w+)\.Add\((.*)\)(?:\s*\|.*)?", re.DOTALL | re.IGNORECASE)
_PARAMETERS = re.compile(r"param\s*\((.*)\)", re.DOTALL | re.IGNORECASE)
_LOOP = re.compile(r"foreach\s*\(\s*\$(\w+)\s+in\s+(.*)\)", re.DOTALL | re.IGNORECASE)
_OTHER_BLOCK = re.compile(r"(?:switch|while|for|function|filter)\b.*", re.DOTALL | re.IGNORECASE)
_TABLE = re.compile(r"\$(\w+)\s*=\s*(?:\[ordered\]\s*)?@\{([^{}]*)\}", re.IGNORECASE)
_ENTRY = re.compile(r"""['"]?([\w-]+)['"]?\s*=\s*(.+)""", re.DOTALL)
_HERE = re.compile(r"@(['\"])[ \t]*\n(.*?)\n\1@", re.DOTALL)
_CONDITION = re.compile(r"(if|elseif)\s*\((.*)\)", re.DOTALL | re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{(?:\w+:)?(\w+)\}|\$(?:env:|script:|global:)?(\w+)", re.IGNORECASE)


def read_powershell(text: str) -> Script:
    """The commands of a script; raises ValueError where a quote or a bracket does not close."""
    script, variables = Script(), Values()
    blocks: list[Branch] = []
    pending, last = Branch(True, True), Branch(True, True)
    for statement in _statements(_plain(text)):
        runs = all(block.runs for block in blocks)
        if statement == "{":
            blocks.append(pending)
            pending = Branch(True, True)
        elif statement == "}":
            last = blocks.pop() if blocks else last
        elif condition := _CONDITION.fullmatch(statement):
            if condition[1].lower() == "elseif" and last.done:
                pending = Branch(False, True)
                continue
            truth = _holds(condition[2], variables)
            if truth is None and runs:
                script.unread.append(condition[2].strip())
            pending = Branch(bool(truth), bool(truth))
        elif loop := _LOOP.fullmatch(statement):
            values = _value(loop[2], variables) or []
            if len(values) != 1 and runs:
                script.loops.append(f"${loop[1]}")
            variables[loop[1].lower()] = values[:1]
            pending = Branch(bool(values), True)
        elif _OTHER_BLOCK.fullmatch(statement):
            if runs:
                script.unread.append(statement.split("\n")[0])
            pending = Branch(False, True)
        elif statement.lower() == "else":
            pending = Branch(not last.done, True)
        elif runs:
            _run(statement, variables, script)
    return script


def _plain(text: str) -> str:
    """A script without comments in <# #>, with here-strings as strings and each entry of a table as a variable of its own."""
    text = re.sub(r"<#.*?#>", "", text, flags=re.DOTALL)
    text = _HERE.sub(lambda found: found[1] + found[2].replace(found[1], found[1] * 2) + found[1], text)
    tables = {name.lower() for name, _ in _TABLE.findall(text)}
    text = _TABLE.sub(lambda found: "\n".join(_entries(found[1], found[2])), text)
    for name in tables:
        text = re.sub(rf"\$\(\$({name})\.(\w+)\)|\$({name})(?:\.(\w+)|\[['\"]([\w-]+)['\"]\])",
                      lambda found: f"${found[1] or found[3]}__{(found[2] or found[4] or found[5]).replace('-', '_')}", text, flags=re.IGNORECASE)  # fmt: skip
    return text


def _entries(table: str, text: str) -> list[str]:
    """`@{ rank = 8; name = 'x' }` as assignments."""
    found = [_ENTRY.fullmatch(entry) for entry in _split(re.sub(r"#.*", "", text), ";\n")]
    return [f"${table}__{entry[1].replace('-', '_')} = {entry[2]}" for entry in found if entry is not None]


def _run(statement: str, variables: Values, script: Script) -> None:
    if assigned := _ASSIGNMENT.fullmatch(statement):
        value, name = _value(assigned[3], variables), assigned[1].lower()
        if value is None:
            variables.pop(name, None)
        elif assigned[2] and len(value) == 1 and len(variables.get(name, [])) == 1 and not assigned[3].startswith("@"):
            variables[name] = [variables[name][0] + value[0]] if not variables[name][0].startswith("--") else [*variables[name], *value]
        else:
            variables[name] = [*variables.get(name, []), *value] if assigned[2] else value
    elif parameters := _PARAMETERS.fullmatch(statement):
        for parameter in _split(re.sub(r"\[Parameter\([^)]*\)\]", "", parameters[1]), ",\n"):
            if _ASSIGNMENT.fullmatch(parameter):
                _run(parameter, variables, script)
    elif added := _ADD.fullmatch(statement):
        variables.setdefault(added[1].lower(), []).extend(_value(added[2], variables) or [])
    else:
        script.commands.append([part for raw in _split(statement, " \t\n") for part in _word(raw, variables)])


# -- text to statements and words ---------------------------------------------------------------------------------------


def _statements(text: str) -> list[str]:
    found, start, at = list[str](), 0, 0

    def end(until: int) -> None:
        if statement := re.sub(r"`[ \t]*\n", " ", text[start:until]).strip():
            found.append(statement)

    while at < len(text):
        char = text[at]
        if char == "`":
            at += 2 if text[at + 1 : at + 2] != " " else len(re.compile(r"`[ \t]*\n?").match(text, at)[0])  # type: ignore[index]
        elif char in "'\"" or char == "(":
            at = _closing(text, at)
        elif char == "#" and (at == 0 or text[at - 1] in " \t\n;{}"):
            end(at)
            start = at = text.find("\n", at) if "\n" in text[at:] else len(text)
        elif char in "\n;" or (char in "{}" and not text[:at].endswith("$") and not _in_braces(text, at)):
            end(at)
            if char in "{}":
                found.append(char)
            at += 1
            start = at
        else:
            at += 1
    end(len(text))
    return found


def _in_braces(text: str, at: int) -> bool:
    """Whether this } closes a ${name}."""
    return text[at] == "}" and bool(re.search(r"\$\{[\w:]*$", text[:at]))


def _closing(text: str, at: int) -> int:
    """The place behind what the quote or bracket at `at` opens; a doubled quote is one inside."""
    opened, n = text[at], at + 1
    while n < len(text):
        if text[n] == "`" and opened != "'":
            n += 2
        elif opened == "(" and text[n] in "'\"(":
            n = _closing(text, n)
        elif text[n] != (")" if opened == "(" else opened):
            n += 1
        elif opened != "(" and text[n + 1 : n + 2] == opened:
            n += 2
        else:
            return n + 1
    raise ValueError("quotes do not close" if opened != "(" else "a bracket ( does not close")


def _split(text: str, at_chars: str) -> list[str]:
    """The parts of a text between these characters, where they are not in quotes or brackets."""
    parts, start, at = list[str](), 0, 0
    while at < len(text):
        if text[at] in "'\"(":
            at = _closing(text, at)
        elif text[at] == "`":
            at += 2
        elif text[at] in at_chars:
            parts.append(text[start:at])
            start = at = at + 1
        else:
            at += 1
    return [part.strip() for part in (*parts, text[start:]) if part.strip()]


def _word(raw: str, variables: Values) -> list[str]:
    """A word of a command; an array becomes all of its words."""
    if (whole := re.fullmatch(r"[@$](?:\w+:)?(\w+)", raw)) and whole[1].lower() in variables:
        return variables[whole[1].lower()]
    return [_text(raw, variables)]


def _text(raw: str, variables: Values) -> str:
    """Text with its quotes removed and its variables replaced."""
    text, at = "", 0
    while at < len(raw):
        if raw[at] == "'":
            end = _closing(raw, at)
            text, at = text + raw[at + 1 : end - 1].replace("''", "'"), end
        elif raw[at] == '"':
            end = _closing(raw, at)
            text, at = text + _replaced(raw[at + 1 : end - 1].replace('""', '"'), variables), end
        else:
            end = next((n for n in range(at, len(raw)) if raw[n] in "'\""), len(raw))
            text, at = text + _replaced(raw[at:end], variables), end
    return text


def _replaced(text: str, variables: Values) -> str:
    text = _VARIABLE.sub(lambda m: " ".join(variables.get((m[1] or m[2]).lower(), [m[0]])), text)
    return re.sub(r"`(.)", r"\1", text)


def _value(expression: str, variables: Values) -> list[str] | None:
    """What an expression is, as words; None where it is something that only PowerShell can compute."""
    expression = expression.strip()
    if expression.lower() in ("$true", "$false", "$null", "@()") or re.fullmatch(r"\[[\w.]+\]::new\(\)|New-Object\s+\S+", expression):
        return {"$true": ["true"], "$false": ["false"], "$null": [""]}.get(expression.lower(), [])
    if expression.startswith("@(") and _closing(expression, 1) == len(expression):
        expression = expression[2:-1]
        return [word for item in _split(expression, ",\n") for word in _value(item, variables) or []]
    if expression.lower().startswith("join-path"):
        words = [_text(word, variables) for word in _split(expression, " \t")[1:] if word.lower() not in ("-path", "-childpath")]
        return ["\\".join((words[0].rstrip("\\/"), *words[1:]))] if words else None
    if len(parts := _split(expression, "+")) > 1:
        found = [_value(part, variables) for part in parts]
        return None if None in found else ["".join(word for part in found for word in part or [])]
    if len(parts := _split(expression, ",")) > 1:
        return [word for part in parts for word in _value(part, variables) or []]
    if expression.startswith("(") and expression.endswith(")"):
        return _value(expression[1:-1], variables)
    plain = expression.startswith(("'", '"')) and _closing(expression, 0) == len(expression)
    return _word(expression, variables) if plain or re.fullmatch(r"\$[\w:{}]+|-?[\d.]+(e-?\d+)?", expression) else None


def _holds(condition: str, variables: Values) -> bool | None:
    """Whether a condition on variables holds; None where it is another one."""
    words = [_text(word, variables) for word in _split(condition, " \t\n")]
    words[1:2] = [re.sub(r"^-[ic](?=eq|ne|gt|lt|ge|le)", "-", operator.lower()) for operator in words[1:2]]
    if words[:1] in (["-not"], ["!"]) or (words and words[0].startswith("!")):
        inner = _holds(condition.strip().removeprefix("!").removeprefix("-not"), variables)
        return None if inner is None else not inner
    match words:
        case [value] if re.fullmatch(r"\$\w+", value):
            return False  # a variable that the script does not set is empty
        case [value]:
            return None if "$" in value else value.lower() not in ("", "0", "false")
        case [a, operator, b] if operator.lower() in ("-eq", "-ne") and "$" not in a + b:
            same = a.lower() == b.lower() or decide(["[", a, "-eq", b, "]"]) is True
            return same == (operator.lower() == "-eq")
        case [a, operator, b]:
            return decide(["[", a, operator.lower(), b, "]"])
    return None
