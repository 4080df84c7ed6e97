"""LoRAs that a prompt calls by name, as AUTOMATIC1111's web UI reads them.

    <lora:zorvex:0.7>           both at 0.7
    <lora:zorvex:0.5:0.8>       the text encoders at 0.5, the denoiser at 0.8
    <lora:zorvex:te=0:unet=1>   the same by name

The tags are taken out of the prompt before it is encoded. `<lyco:...>` is read alike. What would end a name (`:`, `<`, `>`, a line's end) is
written as in URLs, %3A for the colon, so that every file's name comes back from a picture's parameters.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lorasmith.errors import SettingsError

_TAG = re.compile(r"<(\w+):([^<>]+)>")
_KINDS = ("lora", "lyco")
_ENDS = re.compile(r"[:<>\r\n]|%(?=3A|3C|3E|0D|0A|25)")
"""In a file's name: what would end it in a tag, and what would be taken for one of these."""
_WRITTEN = re.compile(r"%(?:3A|3C|3E|0D|0A|25)")


@dataclass(frozen=True)
class LoraTag:
    """A LoRA by its name, with its strength on the text encoders and on the denoiser; 1 as trained."""

    name: str
    text_encoder: float = 1.0
    denoiser: float = 1.0

    def __str__(self) -> str:
        strengths = f"{self.text_encoder:g}" if self.text_encoder == self.denoiser else f"{self.text_encoder:g}:{self.denoiser:g}"
        name = _ENDS.sub(lambda found: f"%{ord(found[0]):02X}", self.name)
        return f"<lora:{name}:{strengths}>"


def read_lora_tags(prompt: str) -> tuple[str, list[LoraTag]]:
    """The prompt without its tags, and what they call, in order.

    Raises:
        SettingsError: a tag's strength is not a number, it asks for something that is not offered here, or calls something else.
    """
    tags: list[LoraTag] = []

    def take(found: re.Match[str]) -> str:
        kind, said = found[1].lower(), found[2]
        if kind not in _KINDS:
            if kind in ("hypernet", "embedding"):
                raise SettingsError(f"{found[0]} calls a {kind}, which is not read here. Remove it.", code="prompt.tag", tag=found[0])
            return found[0]  # text in angle brackets
        tags.append(_tag(found[0], said))
        return ""

    text = _TAG.sub(take, prompt)
    return (text.strip(), tags) if tags else (prompt, tags)


def _tag(whole: str, said: str) -> LoraTag:
    name, *others = (part.strip() for part in said.split(":"))
    placed = [part for part in others if "=" not in part]
    named = dict(part.split("=", 1) for part in others if "=" in part)
    if unknown := sorted(named.keys() - {"te", "unet"}) or placed[2:]:
        raise SettingsError(
            f"{whole} asks for {unknown[0]}, which is not offered here. Give a name and one or two strengths.", code="prompt.tag", tag=whole
        )
    try:
        text_encoder = float(named.get("te", placed[0] if placed else 1.0))
        denoiser = float(named.get("unet", placed[1] if len(placed) > 1 else text_encoder))
    except ValueError:
        raise SettingsError(
            f"The strength in {whole} is not a number. Write it as <lora:{name}:0.7>.", code="prompt.tag", tag=whole
        ) from None
    if not name or not math.isfinite(text_encoder + denoiser):
        raise SettingsError(f"{whole} needs a name and finite strengths. Write it as <lora:NAME:0.7>.", code="prompt.tag", tag=whole)
    return LoraTag(_WRITTEN.sub(lambda found: chr(int(found[0][1:], 16)), name), text_encoder, denoiser)


def with_tags(prompt: str, tags: Sequence[LoraTag]) -> str:
    """The prompt with tags at its end."""
    return " ".join([*([prompt] if prompt else []), *map(str, tags)])


def refuse_in_negative(negative_prompt: str) -> None:
    """Raises SettingsError where a negative prompt calls a LoRA: no program reads one there."""
    if read_lora_tags(negative_prompt)[1]:
        raise SettingsError(
            "A negative prompt calls a LoRA, which has no effect there. Move the tag into the prompt.", code="prompt.tag_in_negative"
        )
