"""How LoRAs of the demo world are trained: one recipe a kind, measured with `make bench`.

Beside the subject's pictures train the base's own kind of pictures, a quarter of them, two in five without a caption. Guidance
steers away from what the model draws without words; if the LoRA moves that, every other prompt is steered astray, and the subject
is called less clearly. So it is held where it was (docs/notebook.md).
"""

from __future__ import annotations

from pathlib import Path

from lorasmith.demo.scenes import TRIGGERS
from lorasmith.demo.weights import BASE
from lorasmith.training.settings.tree import Settings, settings_from

EPOCHS = {"character": 8, "style": 6, "concept": 8}  # over the large sets and the regularisation set: 440 to 450 steps
REPEATS = {"character": 8, "style": 4, "concept": 4}
UNET_LR = {"character": 2e-3, "style": 3e-3, "concept": 2.5e-3}
MIN_SNR_GAMMA = {"character": 3.0, "style": 5.0, "concept": 3.0}  # a style is in the texture, which is made where the noise is weak
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


def recipe(kind: str, name: str, dataset: Path, regularisation: Path, cache: Path, epochs: int) -> Settings:
    """Settings for a held-out thing of the demo world, trained on the demo base."""
    return settings_from({
        "name": name.replace(" ", "-"),
        "base": {"path": str(BASE)},
        "datasets": [
            {"path": str(dataset), "repeats": REPEATS[kind]},
            {"path": str(regularisation), "is_reg": True, "caption_dropout_rate": 0.4},
        ],
        "buckets": {"resolution": 64, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 16},
        "captions": {"trigger": TRIGGERS.get(name, name), "shuffle_caption": True, "keep_tokens": 1},
        "network": {"rank": 16, "alpha": 16.0, "train_text_encoder": False},
        "training": {"epochs": epochs, "batch_size": 8, "balance_reg": False},  # a quarter, not a half
        "optimizer": {"unet_lr": UNET_LR[kind], "args": {"betas": [0.9, 0.99]}},
        "schedule": {"lr_scheduler": "cosine", "lr_warmup_steps": 20},
        "loss": {"min_snr_gamma": MIN_SNR_GAMMA[kind]},
        "checkpoints": {"save_every_n_epochs": max(1, epochs // 5)},
        "samples": {"prompts": PROMPTS[kind], "every_n_epochs": max(1, epochs // 5), "steps": 15, "cfg_scale": 3.0},
        "cache": str(cache),
    })  # fmt: skip
