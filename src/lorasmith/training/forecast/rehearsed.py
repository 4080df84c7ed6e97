"""What is rehearsed of a run, and what a rehearsal found, as data that can be written down.

A rehearsal depends on a `RehearsedRun` and on nothing else of the settings, of the base and of the pictures. So runs that differ in their
captions, their rates or their number of epochs share one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from lorasmith.adapters.settings import NetworkSettings
from lorasmith.datasets.buckets import Size
from lorasmith.models.description import Description, PartPlace
from lorasmith.models.texts import TextOptions
from lorasmith.training.forecast.work import Work
from lorasmith.training.sample_requests import sample_requests
from lorasmith.training.settings.tree import Settings

SAMPLED_AT_ONCE = 16
"""Sample pictures that are computed in one batch."""


@dataclass(frozen=True)
class Drawn:
    """Sample pictures that are computed together."""

    size: Size
    pictures: int
    guided: int
    """Predictions of a denoising step of each of them."""


@dataclass(frozen=True)
class RehearsedRun:
    """All that a rehearsal depends on; sizes are (width, height) in pixels."""

    description: Description
    """Of the base's architecture alone, without its files."""
    mixed_precision: str
    network: NetworkSettings
    trained: tuple[str, ...]
    """Parts of the base with a learning rate."""
    text_options: TextOptions
    guidance_scale: float | None
    gradient_checkpointing: bool
    prior_preservation: bool
    save_precision: str
    largest: Size
    """Of the largest batch's pictures."""
    batch: int
    encoded: Size
    """Of the largest picture that becomes a latent."""
    drawn: Drawn | None
    """None where the run draws no samples."""

    @property
    def as_data(self) -> dict[str, Any]:
        """All of it, for JSON."""
        base = self.description
        return {
            **{name: value for name, value in vars(self).items() if name not in ("description", "network", "text_options", "drawn")},
            "network": self.network.model_dump(mode="json"),
            "text_options": asdict(self.text_options),
            "drawn": self.drawn and asdict(self.drawn),
            "base": {
                "family": base.family, "variant": base.variant, "prediction_type": base.prediction_type,
                "zero_terminal_snr": base.zero_terminal_snr, "scheduler": base.scheduler,
                "parts": {name: (place.config.class_name, place.config.settings, place.config.layers) for name, place in base.parts.items()},
            },
        }  # fmt: skip


def rehearsed_run(settings: Settings, description: Description, largest: Size, batch: int, encoded: Size) -> RehearsedRun:
    """What is rehearsed of a run on a base, whose largest batch has `batch` pictures of size `largest`."""
    return RehearsedRun(
        _without_files(description), settings.training.mixed_precision, settings.network,
        tuple(part for part in description.parts if part != "vae" and settings.lr_of(part, description.family) > 0),
        settings.base.text_options, settings.flow.guidance_scale, settings.training.gradient_checkpointing,
        bool(settings.loss.prior_preservation), settings.checkpoints.save_precision, largest, batch, encoded, _drawn(settings, description),
    )  # fmt: skip


def _without_files(description: Description) -> Description:
    places = {name: PartPlace((), "", "", place.config, "", {}) for name, place in description.parts.items()}
    return replace(
        description, source=type(description.source)(), layout="folder", parts=places, tokenizers={}, reasons=(), notes=(), metadata={},
        hub_id=None,
    )  # fmt: skip


def _drawn(settings: Settings, description: Description) -> Drawn | None:
    requests = sample_requests(settings)
    if not requests:
        return None
    native, cfg_scale = description.sizes.native, settings.samples.cfg_scale or description.form.defaults.cfg_scale
    size = max(((one.width or native, one.height or native) for one in requests), key=lambda side: side[0] * side[1])
    return Drawn(size, min(len(requests), SAMPLED_AT_ONCE), 1 if cfg_scale == 1 else 2)


# -- what was found ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PartBytes:
    """Bytes of a part's weights and buffers in every form that `base.quantize` keeps them in."""

    whole: Mapping[str, int]
    blocks: tuple[Mapping[str, int], ...] = ()
    """Of them those that are swapped with each block of a denoiser."""
    prepacked: int = 0
    """What frozen weights that are laid out for a CPU take besides (`models.prepacked`), unquantised."""


@dataclass(frozen=True)
class LoraLayout:
    """The tensors of a LoRA file, as its header names them."""

    tensors: Mapping[str, tuple[str, tuple[int, ...]]]
    """Key -> dtype and shape."""
    metadata: Mapping[str, str]
    """What a family's style of files adds to the metadata."""
    size: tuple[int | str, float | str] | None
    """Rank and alpha as `lora_metadata` records them; None where no layer has a rank."""


@dataclass(frozen=True)
class Rehearsal:
    """What a step over the largest batch, a latent and sampling do on the run's base with its networks."""

    run: RehearsedRun
    parts: Mapping[str, PartBytes]
    """Of the base, its autoencoder included."""
    carriers: tuple[str, ...]
    """The parts that carry a network."""
    parameters: int
    """Trained ones."""
    tensors: int
    lora: LoraLayout
    latent_channels: int
    latent_step: int
    """Pixels a latent covers on each side."""
    step: Work
    encode: Work
    denoise: Work | None
    """One denoising step over all prompts that are sampled together."""
    decode: Work | None
    program: int
    """Bytes of the process with what a run imports."""

    @property
    def as_data(self) -> dict[str, Any]:
        """All but the run, for JSON; `of_data` reads it."""
        works = {name: work and work.as_data for name in _WORKS for work in [getattr(self, name)]}
        plain = {name: value for name, value in vars(self).items() if name not in ("run", "parts", "lora", *_WORKS)}
        return {**plain, **works, "parts": {name: asdict(part) for name, part in self.parts.items()}, "lora": asdict(self.lora)}

    @classmethod
    def of_data(cls, run: RehearsedRun, data: Mapping[str, Any]) -> Rehearsal:
        """Raises KeyError, TypeError or ValueError where something is not as `as_data` writes it."""
        works = {name: None if data[name] is None else Work.of_data(data[name]) for name in _WORKS}
        parts = {name: PartBytes(part["whole"], tuple(part["blocks"]), part["prepacked"]) for name, part in data["parts"].items()}
        lora, size = data["lora"], data["lora"]["size"]
        tensors = {key: (dtype, tuple(shape)) for key, (dtype, shape) in lora["tensors"].items()}
        return cls(**{
            **data, **works, "run": run, "parts": parts, "carriers": tuple(data["carriers"]),
            "lora": LoraLayout(tensors, lora["metadata"], size and tuple(size)),
        })  # fmt: skip


_WORKS = ("step", "encode", "denoise", "decode")
