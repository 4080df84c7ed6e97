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
    start: str = ""
    """The tokenizer's mark at the start of every text, which `before` follows; a text that has it already is read as it is."""
    before_ends: str = ""
    """What `before` ends with, where captions may bring a beginning of their own: one with this in it is read without `before`."""

    @property
    def beginning(self) -> str:
        """What is before a caption; a space at its end is a piece of the caption's first word."""
        return self.start + self.before.rstrip(" ")

    def begun(self, caption: str) -> str:
        """A caption with what is written before it."""
        if self.start and caption.startswith(self.start):
            return caption
        return f"{self.start}{'' if self.before_ends and self.before_ends in caption else self.before}{caption}"


DESCRIBE = Template(
    before="<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial relationships of the "
    "objects and background:<|im_end|>\n<|im_start|>user\n",
    after="<|im_end|>\n<|im_start|>assistant\n",
    before_is_read=False,
)
"""Asks for the description of a picture, of which the caption is given: Qwen-Image's, which others took over."""
