"""sd-scripts' `sample_prompts`: a file or text of prompts with flags becomes `samples`, what all prompts share as settings, the rest in lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lorasmith.errors import SettingsError
from lorasmith.models.prompts.lines import PromptLine, as_line, read_line, read_prompt_file
from lorasmith.training.importers.documents import beside, read_text
from lorasmith.training.importers.sd_scripts_rows import SdScriptsDraft

SHARED = ("width", "height", "steps", "cfg_scale", "negative_prompt", "sampler")
"""Fields that are settings of all samples."""


def put_sample_prompts(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    """Put the prompts into the draft; flags that nothing here reads are named."""
    text = str(value)
    if Path(text).suffix.lower() in (".txt", ".toml", ".json") and "\n" not in text:
        path = beside(text, draft.found.file)
        if path is None:
            draft.leave(theirs, value, "the file is not here; write its prompts into samples.prompts")
            return
        try:
            if path.suffix.lower() != ".txt":
                _put(draft, theirs, read_prompt_file(path))
                return
            text = read_text(path)
        except SettingsError as error:
            draft.leave(theirs, value, str(error))
            return
    lines = [line.strip() for line in text.splitlines()]
    _put(draft, theirs, [_read(draft, theirs, line) for line in lines if line and not line.startswith("#")])


def _read(draft: SdScriptsDraft, theirs: str, line: str) -> PromptLine:
    """A line without the flags that cannot be read, which are named."""
    while True:
        try:
            return read_line(line)
        except SettingsError as error:
            flag = error.values["flag"]
            draft.leave(f"{theirs} --{flag}", line, str(error))
            line = re.sub(rf"(?:^|\s)--{re.escape(flag)}\b.*?(?=\s--[A-Za-z]|$)", "", line, count=1)


def _put(draft: SdScriptsDraft, theirs: str, lines: Sequence[PromptLine]) -> None:
    if not lines:
        return
    for flag in sorted({flag for line in lines for flag in line.without_effect}):
        draft.leave(f"{theirs} {flag}", True, "the pictures are drawn without it here")
    first = lines[0].values
    names = (*SHARED, "seed") if len(lines) == 1 and lines[0].count == 1 else SHARED
    shared = {name: first[name] for name in names if name in first and all(line.values.get(name) == first[name] for line in lines)}
    rest = [{name: value for name, value in line.values.items() if name not in (*shared, "prompt")} for line in lines]
    prompts = [as_line(line.values.get("prompt", ""), own, line.count) for line, own in zip(lines, rest, strict=True)]
    draft.put(theirs, "samples.prompts", prompts)
    for field, setting in shared.items():
        draft.put(f"{theirs} (flags)", f"samples.{field}", setting)
