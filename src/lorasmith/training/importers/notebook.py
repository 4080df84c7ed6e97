"""Notebooks (.ipynb) with the command of a training in a cell, read as Jupyter and Colab would run them, without running anything.

Lines that begin with `!`, cells of `%%bash` and files of `%%writefile` are followed; of Python, variables that are set to a plain value
(`rank = 16 #@param`), which a line with `!` has as `{rank}` or `$rank`. Whatever else Python computes stays as it is written.
"""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any

from lorasmith.errors import SettingsError
from lorasmith.training.importers.shell import Script, read_shell

_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\s*(?::\s*\w+\s*)?=\s*(.+)")
_SET_IN_SHELL = re.compile(r"%(?:env|set_env)\s+(\w+)[=\s]\s*(.*)")


def read_notebook(tree: Any, path: Path) -> Script:
    """The commands of a notebook's cells, in their order; raises ValueError where a quote does not close.

    Raises:
        SettingsError: it is not a notebook.
    """
    cells = tree.get("cells") if isinstance(tree, dict) else None
    if not isinstance(cells, list):
        raise SettingsError(
            f"{path} is not a notebook, as it has no cells. Give a notebook, or a script.", code="import.form", path=str(path)
        )
    known: set[str] = set()
    return read_shell(
        "\n".join(_as_shell(_source(cell), known) for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code")
    )


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(str(line) for line in source) if isinstance(source, list) else str(source)


def _as_shell(source: str, known: set[str]) -> str:
    """A cell as lines of a shell; `known` are the variables so far."""
    first, _, rest = source.lstrip().partition("\n")
    if re.match(r"%%(bash|sh|shell)\b", first):
        return rest
    if written := re.match(r"%%writefile\s+(?:-a\s+)?(\S+)", first):
        return f"cat > {written[1]} <<'END_OF_CELL'\n{rest}\nEND_OF_CELL"
    found, lines = list[str](), iter(source.split("\n"))
    for line in lines:
        text = line.strip()
        while text.startswith("!") and text.endswith("\\"):
            text = f"{text}\n{next(lines, '')}".rstrip()
        if text.startswith("!"):
            found.append(re.sub(r"\{(\w+)\}", lambda name: f"${{{name[1]}}}" if name[1] in known else name[0], text[1:]))
        elif (assigned := _SET_IN_SHELL.fullmatch(text) or _ASSIGNED.fullmatch(text)) and (value := _plain(assigned)) is not None:
            known.add(assigned[1])
            found.append(f"{assigned[1]}={shlex.quote(value)}")
    return "\n".join(found)


def _plain(assigned: re.Match[str]) -> str | None:
    """The text of a plain value; None where Python computes it."""
    if assigned.re is _SET_IN_SHELL:
        return assigned[2].strip()
    try:
        value = ast.literal_eval(assigned[2].strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return str(value) if isinstance(value, str | int | float | bool) else None
