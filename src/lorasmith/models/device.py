"""On which device to compute."""

from __future__ import annotations

from typing import Literal

from lorasmith.errors import SettingsError

Device = Literal["auto", "cpu", "cuda"]


def choose_device(device: Device = "auto") -> str:
    """`cpu` or `cuda`; `auto` takes an NVIDIA GPU where there is one.

    Raises SettingsError where a GPU is asked for and torch sees none.
    """
    import torch

    if device not in ("auto", "cpu", "cuda"):
        raise SettingsError(f"There is no device {device!r}. Choose auto, cpu or cuda.", code="settings.unknown_device", value=device)
    if device == "cuda" and not torch.cuda.is_available():
        raise SettingsError(
            "The device 'cuda' was chosen, but torch sees no GPU. Install a GPU build of torch, or choose 'cpu'.", code="settings.no_gpu"
        )
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
