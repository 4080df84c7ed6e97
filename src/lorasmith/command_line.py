"""Words of a command that a message gives to paste, quoted for the shell that it will be pasted into.

f"Continue with: lorasmith resume {quoted(folder)}"
"""

from __future__ import annotations

import os
import re
import shlex

_PLAIN_ON_WINDOWS = re.compile(r"[\w:\\/.+=~-]+")


def quoted(word: object, windows: bool = os.name == "nt") -> str:
    """A path, a URL or another argument as one word of a command line; one without a space or a sign of the shell stays as it is.

    On Windows in double quotes, which cmd and PowerShell both know; where PowerShell would read a variable within them ($, `), in its single
    quotes. Elsewhere as POSIX shells have it.
    """
    text = str(word)
    if not windows:
        return shlex.quote(text)
    if _PLAIN_ON_WINDOWS.fullmatch(text):
        return text
    if re.search(r"[$`]", text):
        return "'" + text.replace("'", "''") + "'"
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', text)  # as a program's own reading of its command line wants it
    return '"' + re.sub(r"(\\+)$", r"\1\1", escaped) + '"'
