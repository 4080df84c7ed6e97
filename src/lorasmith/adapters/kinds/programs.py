"""The programs that generate with LoRA files, and the words for what one of them does with a layer.

What a program does was found by running it (the versions are in VERSIONS), with a network of every kind. Each kind states its part in
its own file, as `Form`s; what depends on how a layer is called is in `compatibility.consumers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lorasmith.errors import SettingsError
from lorasmith.models.lora_naming import Reading, Readings, readings
from lorasmith.registry import nearest

CONSUMERS = tuple(readings())
VERSIONS = {"AUTOMATIC1111": "1.10.1", "Forge": "2025-06-26", "ComfyUI": "0.3.64", "diffusers": "0.42.1"}


def wrong(reason: str) -> Reading:
    """The images differ from those in training, for this reason."""
    return Reading("wrong", reason)


def refused(reason: str) -> Reading:
    """The whole file is not loaded, for this reason."""
    return Reading("refused", reason)


PLAIN_LORA_ONLY = refused("it stops at the first layer that is not a plain LoRA (ValueError: keys have not been correctly renamed)")
"""What diffusers does with most networks."""


IN_FILES_NUMBERS = ("AUTOMATIC1111",)
"""Programs that multiply LoHa, LoKr and differences in the file's own precision; of a LoRA all compute in fp32."""


@dataclass(frozen=True)
class Form:
    """A form in which a kind of network occurs in files: what it is called, and what each program does with it."""

    name: str
    programs: Readings
    in_files_numbers: tuple[str, ...] = ()
    """Programs that compute the change in the file's own precision, where others do in fp32."""


_SHORT_NAMES = {"a1111": "AUTOMATIC1111", "comfy": "ComfyUI"}


def programs_named(names: Sequence[str]) -> tuple[str, ...]:
    """The programs of these names, in any case and with their usual short names; all of them for none.

    Raises:
        SettingsError: nothing is known of one of them.
    """
    known = {name.lower(): name for name in CONSUMERS} | _SHORT_NAMES
    if unknown := [name for name in names if name.lower() not in known]:
        raise SettingsError(
            f"Nothing is known of the program {unknown[0]!r}; {nearest(unknown[0], CONSUMERS, _SHORT_NAMES)}", code="check.program"
        )
    return tuple(dict.fromkeys(known[name.lower()] for name in names)) or CONSUMERS
