"""How LoRAs of the demo world are trained: one recipe a kind, measured with `make bench`."""

from __future__ import annotations

from pathlib import Path

from lorasmith.demo.datasets import TRIGGERS
from lorasmith.demo.weights import BASE
from lorasmith.training.settings import Settings, settings_from

EPOCHS = {"character": 50, "style": 18, "concept": 25}  # over the large sets: 250 to 270 steps
PROMPTS = {
    "character": [
        "{trigger}, happy, standing, beach, flat style", "{trigger}, angry, jumping, city, ink style",
        "{trigger}, surprised, sitting, night, soft style", "{trigger}, sad, lying, meadow, flat style",
    ],
    "style": [
        "{trigger}, cat, blue body, happy, standing, beach", "{trigger}, frog, green body, red hat, angry, jumping, city",
        "{trigger}, lion, orange body, surprised, sitting, night", "{trigger}, mouse, pink body, blue scarf, sad, lying, meadow",
    ],
    "concept": [
        "{trigger}, cat, blue body, happy, standing, beach, flat style", "{trigger}, bear, red body, angry, sitting, city, ink style",
        "{trigger}, rabbit, white body, surprised, standing, night, soft style", "{trigger}, lion, yellow body, sad, standing, meadow, flat style",
    ],
}  # fmt: skip


def recipe(kind: str, name: str, dataset: Path, cache: Path, epochs: int) -> Settings:
    """Settings for a held-out thing of the demo world, trained on the demo base.

    min_snr_gamma 1 and a fast text encoder make the trigger word count (docs/notebook.md).
    """
    return settings_from({
        "name": name.replace(" ", "-"),
        "base": {"path": str(BASE)},
        "datasets": [{"path": str(dataset)}],
        "buckets": {"resolution": 64, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 16},
        "captions": {"trigger": TRIGGERS.get(name, name), "shuffle_caption": True, "keep_tokens": 1},
        "network": {"rank": 16, "alpha": 16.0},
        "training": {"epochs": epochs, "batch_size": 8},
        "optimizer": {"unet_lr": 3e-3, "text_encoder_lr": 3e-3},
        "schedule": {"lr_scheduler": "cosine"},
        "loss": {"min_snr_gamma": 1.0},
        "checkpoints": {"save_every_n_epochs": max(1, epochs // 5)},
        "samples": {"prompts": PROMPTS[kind], "every_n_epochs": max(1, epochs // 5), "steps": 15, "cfg_scale": 5.0},
        "cache": str(cache),
    })  # fmt: skip
