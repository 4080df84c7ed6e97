"""Prompts with flags, one a line, as other programs write them.

    zorvex, beach --n blurry --w 768 --h 512 --d 7 --s 28 --l 6.5 --ss k_euler_a        sd-scripts
    --prompt "zorvex, beach" --negative_prompt "blurry" --steps 28 --sampler_name "DPM++ 2M Karras"     A1111, prompts from file

A value reaches to the next flag, or is quoted. A flag that neither program has is refused, with the nearest one; one that has no effect
here is named. A new flag is a line in `FLAGS`.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lorasmith.errors import SettingsError
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.models.samplers import sampler_key
from lorasmith.registry import nearest

Flag = tuple[str, Callable[[Any], Any]]
"""A field of `PictureRequest` (or `count`) and how its value is read."""


MOST_PICTURES = 10_000
"""Of one line; more is a slip of the pen."""


def _at_least(least: float, kind: Callable[[Any], Any], most: float = math.inf) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        fraction = kind is int and isinstance(value, float) and not value.is_integer()
        if fraction or isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError("it must be a whole number" if kind is int else "it must be a number")
        number = kind(value)
        if not least <= number <= most or number == math.inf:
            raise ValueError(f"it must be {least:g} or more" if number < least or most == math.inf else f"it must be {most:,} at most")
        return number

    return read


_SIDE, _STEPS, _SEED, _COUNT = _at_least(1, int), _at_least(1, int), _at_least(0, int), _at_least(1, int, MOST_PICTURES)
_CFG, _GUIDANCE = _at_least(1, float), _at_least(0, float)


def _numbers(value: Any) -> tuple[float, ...]:
    found = tuple(float(part) for part in str(value).split(","))
    if not all(map(math.isfinite, found)):
        raise ValueError("it must be finite numbers")
    return found


def _words(value: Any) -> str:
    if isinstance(value, list | Mapping):
        raise ValueError("it must be a text")
    return str(value)


def _sampler(value: Any) -> str:
    return sampler_key(_words(value))


FLAGS: dict[str, Flag] = {
    # sd-scripts
    "n": ("negative_prompt", _words), "w": ("width", _SIDE), "h": ("height", _SIDE), "d": ("seed", _SEED), "s": ("steps", _STEPS),
    "l": ("cfg_scale", _CFG), "g": ("guidance", _GUIDANCE), "ss": ("sampler", _sampler), "am": ("strengths", _numbers),
    # A1111
    "prompt": ("prompt", _words), "negative_prompt": ("negative_prompt", _words), "seed": ("seed", _SEED), "steps": ("steps", _STEPS),
    "cfg_scale": ("cfg_scale", _CFG), "width": ("width", _SIDE), "height": ("height", _SIDE), "sampler_name": ("sampler", _sampler),
    "batch_size": ("count", _COUNT), "n_iter": ("count", _COUNT),
    # sd-scripts, in TOML and JSON
    "sample_steps": ("steps", _STEPS), "scale": ("cfg_scale", _CFG), "guidance_scale": ("guidance", _GUIDANCE),
    "sample_sampler": ("sampler", _sampler),
}  # fmt: skip

WITHOUT_EFFECT = frozenset(
    {
        # sd-scripts
        "cn", "ctr", "rcfg", "fs", "nl", "t", "ow", "oh", "nw", "nh", "ct", "cl", "f", "iw", "glt", "glr", "gls", "gle", "dsd1", "dst1",
        "dsd2", "dst2", "dsr", "controlnet_image",
        # A1111
        "sd_model", "outpath_samples", "outpath_grids", "prompt_for_display", "styles", "subseed", "subseed_strength", "seed_resize_from_h",
        "seed_resize_from_w", "sampler_index", "restore_faces", "tiling", "do_not_save_samples", "do_not_save_grid",
    }
)  # fmt: skip
"""Flags of both programs that ask for what is not offered here."""

_FLAG = re.compile(r"(?:^|(?<=\s))--([A-Za-z][A-Za-z0-9_]*)(?:=|\s+|$)")
_QUOTED = re.compile(r"""\s*(?:"((?:\\.|[^"\\])*)"|'([^']*)')\s*(?=--|$)""", re.DOTALL)


@dataclass(frozen=True)
class PromptLine:
    """A prompt with what its flags say."""

    values: Mapping[str, Any]
    """Fields of `PictureRequest`."""
    count: int = 1
    """Pictures of it; each has the next seed."""
    without_effect: tuple[str, ...] = ()
    """Flags that are understood, and change nothing here."""

    def request(self, usual: PictureRequest) -> PictureRequest:
        """The picture that it asks for; `usual` is what its flags do not say."""
        return replace(usual, **self.values)


def read_line(line: str) -> PromptLine:
    """The prompt and the flags of a line.

    Raises:
        SettingsError: a flag is unknown or given twice, or its value cannot be read.
    """
    pairs: list[tuple[str, str]] = []
    found = _FLAG.search(line)
    start = line[: found.start()] if found else line
    while found:
        value, end = _value(line, found.end())
        pairs.append((found[1], value))
        found = _FLAG.match(line, end)
    if start.strip() or not any(name == "prompt" for name, _ in pairs):
        pairs.insert(0, ("prompt", start.strip()))
    return _prompt_line(pairs, "--")


_WRITTEN = {
    "negative_prompt": "n", "width": "w", "height": "h", "seed": "d", "steps": "s", "cfg_scale": "l", "guidance": "g", "sampler": "ss",
    "strengths": "am",
}  # fmt: skip


def as_line(prompt: str, values: Mapping[str, Any] = MappingProxyType({}), count: int = 1) -> str:
    """A line that is read as this prompt with these values, whatever is in them."""
    plain = _FLAG.search(prompt) is None and prompt == prompt.strip()
    flags = [] if plain else [f"--prompt {_in_quotes(prompt)}"]
    for field, value in values.items():
        text = ",".join(map(str, value)) if field == "strengths" else str(value)
        as_is = _FLAG.search(text) is None and not _QUOTED.match(text) and text == text.strip()
        flags.append(f"--{_WRITTEN[field]} {text if as_is else _in_quotes(text)}")
    return " ".join([*([prompt] if plain and prompt else []), *flags, *([f"--n_iter {count}"] if count > 1 else [])])


def _in_quotes(text: str) -> str:
    return '"{}"'.format(re.sub(r'(["\\])', r"\\\1", text))


def _value(line: str, start: int) -> tuple[str, int]:
    """The value that starts there, and where the next flag is."""
    if quoted := _QUOTED.match(line, start):
        text = quoted[2] if quoted[1] is None else re.sub(r"\\(.)", r"\1", quoted[1])
        return text, quoted.end()
    following = _FLAG.search(line, start)
    end = following.start() if following else len(line)
    return line[start:end].strip(), end


def _prompt_line(pairs: Iterable[tuple[str, Any]], mark: str) -> PromptLine:
    values: dict[str, Any] = {}
    without_effect = []
    for name, said in pairs:
        if name in WITHOUT_EFFECT:
            without_effect.append(f"{mark}{name}")
            continue
        if name not in FLAGS:
            raise SettingsError(
                f"There is no prompt flag {mark}{name}: {nearest(name, FLAGS)}", code="prompt.unknown_flag", flag=name
            )  # fmt: skip
        field, read = FLAGS[name]
        if said is None:  # JSON's null: nothing is said
            continue
        try:
            value = read(said)
            if field == "count":
                value = _COUNT(value * values.get(field, 1))
        except (SettingsError, ValueError) as error:
            raise SettingsError(
                f"The prompt flag {mark}{name} cannot be {said!r}: {error}", code="prompt.flag_value", flag=name, value=str(said)
            ) from None
        if field in values and field != "count":
            raise SettingsError(
                f"A prompt has its {field.replace('_', ' ')} twice. Remove {mark}{name}.", code="prompt.flag_twice", flag=name
            )
        values[field] = value
    return PromptLine(values, values.pop("count", 1), tuple(without_effect))


# -- several ------------------------------------------------------------------------------------------------------------------


def requests_of(lines: Iterable[PromptLine], usual: PictureRequest) -> list[PictureRequest]:
    """The pictures that lines ask for; those without a seed of their own have that of `usual` and the next ones, in order."""
    requests: list[PictureRequest] = []
    for line in lines:
        first = line.request(replace(usual, seed=usual.seed + len(requests)))
        requests += [replace(first, seed=first.seed + k) for k in range(line.count)]
    return requests


def read_prompt_file(path: str | Path) -> list[PromptLine]:
    """The prompts of a file: a text with one a line (# is a comment), or TOML and JSON as sd-scripts has them.

    Raises:
        SettingsError: it cannot be read, has no prompt, or a flag in it is unknown; the message names the line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(
            f"The prompt file {path} cannot be read ({reason}). Give a text file with one prompt a line.",
            code="prompt.file",
            path=str(path),
        ) from None
    if path.suffix.lower() in (".toml", ".json"):
        found = _tables(path, text)
    else:
        lines = [(f"line {number}", line) for number, line in enumerate(text.splitlines(), 1)]
        found = [(place, line) for place, line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not found:
        raise SettingsError(f"The prompt file {path} has no prompt. Write one a line.", code="prompt.file", path=str(path))
    prompts = []
    for place, said in found:
        try:
            prompts.append(read_line(said) if isinstance(said, str) else _prompt_line(said.items(), ""))
        except SettingsError as error:
            raise SettingsError(f"{path}, {place}: {error}", code=error.code, **error.values) from None
    return prompts


def _tables(path: Path, text: str) -> list[tuple[str, str | Mapping[str, Any]]]:
    """sd-scripts' prompts in TOML (`[prompt]` for all, `[[prompt.subset]]` for each) or JSON (a list)."""
    try:
        tree = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
        shared: Mapping[str, Any] = {}
        if isinstance(tree, dict):
            shared = {key: value for key, value in tree["prompt"].items() if key != "subset"}
            tree = tree["prompt"].get("subset", [{}])
        return [(f"prompt {number}", each if isinstance(each, str) else {**shared, **each}) for number, each in enumerate(tree, 1)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"The prompt file {path} is not one of sd-scripts ({error}). Write [[prompt.subset]] tables in TOML or a list in JSON.",
            code="prompt.file", path=str(path),
        ) from None  # fmt: skip
