"""A network file as read, whatever its layout; and writing one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lorasmith.adapters.files.key_style import ALPHAS, in_kohyas_names, in_style_of
from lorasmith.adapters.files.layout import CONTROL, NetworkOutline
from lorasmith.adapters.files.lora_file import PRECISIONS, save_lora, stored_dtype
from lorasmith.adapters.files.metadata import base_model_version, is_v2, network_module
from lorasmith.adapters.files.one_alpha import common_alpha, with_one_alpha
from lorasmith.adapters.files.peft_alphas import ADAPTER_CONFIG
from lorasmith.adapters.kinds import full, lora
from lorasmith.adapters.kinds.lora import UP
from lorasmith.adapters.layer import Layer, file_tensors
from lorasmith.errors import AdapterError, InputError
from lorasmith.models.families import FAMILIES
from lorasmith.pages.numbers import count
from lorasmith.secrets import publishable


@dataclass(frozen=True, repr=False)
class Network(NetworkOutline):
    """A network file as read, whatever its layout, with its numbers."""

    layers: dict[str, Layer]

    def whole(self) -> Network:
        """This network, if all of it could be read.

        Raises:
            AdapterError: something could not be read.
        """
        if CONTROL in self.dialects:
            raise AdapterError(
                "The file is a control LoRA of Black Forest Labs (Canny or Depth), which has biases and normalisations beside its LoRA and "
                "needs a control picture: use it as it is, in ComfyUI or diffusers.",
                code="lora.control",
            )
        if self.unread:
            key, reason = next(iter(self.unread.items()))
            more = f" (and {count(len(self.unread) - 1, 'more key')})" if len(self.unread) > 1 else ""
            raise AdapterError(f"The file's {key}{more} cannot be read: {reason}.", code="lora.unreadable", key=key)
        return self


def check_new_file(path: Path, overwrite: bool) -> None:
    """Whether a LoRA file may be written there.

    Raises:
        InputError: it exists and may not be replaced, its folder does not exist, or its name does not end as the programs expect.
    """
    if path.suffix != ".safetensors":
        raise InputError(
            f"{path} does not end in .safetensors, which the programs look for: name it so.", code="lora.suffix", path=str(path)
        )
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists already: give another name, or --overwrite.", code="lora.exists", path=str(path))
    if not path.parent.is_dir():
        raise InputError(
            f"There is no folder {path.parent} to write {path.name} into: make it, or give another name.",
            code="lora.no_folder",
            path=str(path),
        )


def save_network(path: str | Path, layers: Iterable[Layer], family: str, metadata: Mapping[str, str], dtype: torch.dtype) -> None:
    """Write layers as a LoRA file, with the keys that the readers of the family expect.

    All LoRA layers get one alpha; see `one_alpha`.
    """
    tensors, entries = _content(layers, family, metadata)
    save_lora(path, tensors, entries, dtype)


def save_made(
    path: str | Path,
    layers: Mapping[str, Layer],
    family: str,
    metadata: Mapping[str, str],
    dtype: torch.dtype,
    kohyas_names: bool = False,
    embeddings: Mapping[str, Tensor] | None = None,
) -> None:
    """Write layers that were made from those of other files, whose metadata are kept as far as they are still true.

    The names are those of the family's files, or those of kohya's trainers; `embeddings` were bundled in the other files (see `bundled`).

    Raises:
        AdapterError: a number is not finite, or too large for the dtype; nothing is written.
    """
    entries = file_metadata(layers, family, metadata)
    if kohyas_names:
        tensors = in_kohyas_names(family, file_tensors(with_one_alpha(layers.values())))
    else:
        tensors, entries = _content(layers.values(), family, entries)
    tensors |= embeddings or {}
    check_writable(tensors, dtype)
    save_lora(path, tensors, entries, dtype)


def _content(layers: Iterable[Layer], family: str, metadata: Mapping[str, str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file."""
    return in_style_of(family, file_tensors(with_one_alpha(layers)), metadata)


def check_writable(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> None:
    """Whether all numbers are finite in a file of this dtype.

    Raises:
        AdapterError: some are not.
    """
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.to(stored_dtype(key, tensor, dtype)).isfinite().all():
            if not tensor.isfinite().all():
                raise AdapterError(
                    f"{key} of the new file would have numbers that are not finite (NaN or infinity): a file that goes into it is damaged, "
                    "or a ratio is not a number.",
                    code="adapter.not_finite",
                    key=key,
                )
            precision = next(name for name, known in PRECISIONS.items() if known is dtype)
            raise AdapterError(
                f"{key} of the new file has numbers that are too large for {precision}: write it in bf16 or fp32 (--precision).",
                code="lora.overflow",
                key=key,
            )


# What describes the tensors that a file had before: never true of the tensors that are made from them.
_OF_THE_TENSORS = frozenset(
    [
        "lora_adapter_metadata",
        ADAPTER_CONFIG,
        ALPHAS,
        "format",
        "ss_network_args",
        "sshs_model_hash",
        "sshs_legacy_hash",
        "modelspec.hash_sha256",
    ]
)


def file_metadata(layers: Mapping[str, Layer], family: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata of a file that was made from others: what was known without its secrets, and what the layers are now."""
    ranks = {layer.rank for layer in layers.values() if layer.rank is not None}
    alpha = common_alpha(layers.values())
    alphas = {alpha if UP in layer.tensors else layer.alpha_value for layer in layers.values() if layer.rank is not None}
    kinds = list({layer.kind.name: layer.kind for layer in layers.values() if layer.kind.changes_weight}.values())
    kind = kinds[0] if len(kinds) == 1 else full.KIND if kinds else lora.KIND
    new = {key: value for key, value in publishable(metadata).items() if key not in _OF_THE_TENSORS}
    new["ss_network_module"] = network_module(kind, family)
    version = base_model_version(family, FAMILIES[family].prediction.types[0])
    new.setdefault("ss_base_model_version", version)
    new.setdefault("ss_v2", str(is_v2(version)))
    if kind.algo is not None:
        new["ss_network_args"] = json.dumps({"algo": kind.algo})
    new["ss_network_dim"] = str(next(iter(ranks))) if len(ranks) == 1 else "Dynamic"
    new["ss_network_alpha"] = str(alphas.pop()) if len(alphas) == 1 else "Dynamic"
    return new
