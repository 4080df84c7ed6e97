"""Settings for which others stand in: a rate of its own for each part of the base, a rule of its own for each folder.

stand_ins(settings, "optimizer.learning_rate")    # ["optimizer.unet_lr", "optimizer.text_encoder_lr"]: another value would change nothing
"""

from __future__ import annotations

from lorasmith.datasets.settings import DatasetSettings
from lorasmith.training.settings.tree import Settings

OF_PARTS = {
    "optimizer.learning_rate": ("unet_lr", "text_encoder_lr"),
    "optimizer.loraplus_lr_ratio": ("loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio"),
}
"""Setting -> those of the denoiser and of the text encoders that go before it."""
OF_FOLDERS = ("captions", "buckets", "training")
"""Sections of which a dataset may have a setting of its own, under the same name."""


def stand_ins(settings: Settings, name: str) -> list[str]:
    """The settings that are used in place of one, wherever it would be; none where it has an effect."""
    section, _, key = name.partition(".")
    network, optimizer = settings.network, settings.optimizer
    if name in OF_PARTS:
        trained = (network.train_unet, network.train_text_encoder)
        own = [each for each, trains in zip(OF_PARTS[name], trained, strict=True) if trains]
        return [f"optimizer.{each}" for each in own] if all(getattr(optimizer, each) is not None for each in own) else []
    if section in OF_FOLDERS and key in DatasetSettings.model_fields:
        folders = settings.datasets
        return (
            [f"datasets.{number}.{key}" for number in range(len(folders))] if all(getattr(one, key) is not None for one in folders) else []
        )
    return []
