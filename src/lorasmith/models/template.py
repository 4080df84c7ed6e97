"""What a language model is given around a caption. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Template:
    """What is written around a caption."""

    before: str = ""
    after: str = ""
    before_is_read: bool = True
    """Whether the denoiser reads the states of `before`; else they are left out."""
    cut: Literal["caption", "end"] = "end"
    """What a caption that is too long loses: its own end, so that `after` stays, or whatever is at the end of all."""


DESCRIBE = Template(
    before="<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial relationships of the "
    "objects and background:<|im_end|>\n<|im_start|>user\n",
    after="<|im_end|>\n<|im_start|>assistant\n",
    before_is_read=False,
)
"""Asks for the description of a picture, of which the caption is given: Qwen-Image's, which others took over."""
