"""Settings to start from, for a folder of pictures and a base: what the guides advise, fitted to how many pictures there are."""

from __future__ import annotations

import json
from pathlib import Path

from lorasmith.captions.caption import split_tags
from lorasmith.datasets.folders import open_folder
from lorasmith.errors import BaseModelError
from lorasmith.models.checkpoint import detect_family
from lorasmith.training.settings import Settings, settings_from

PASSES = 100  # showings of each picture for a subject (domain facts: about 100 passes per image)
EPOCHS = 10  # as many checkpoints to choose from


def starting_point(dataset: Path, base: Path, trigger: str | None, name: str) -> tuple[Settings, list[str]]:
    """Settings for a subject, and notes that say why; the user edits them.

    About 100 showings per picture in 10 epochs; tags are shuffled where captions are tags; the resolution is the base's own.
    """
    detect_family(base)
    contents = open_folder(dataset)
    native, step = _native_size(base)
    tags = [len(split_tags(p.caption)) for p in contents.pictures if p.caption]
    are_tags = bool(tags) and sum(tags) / len(tags) >= 4
    layout_repeats = any(p.repeats > 1 for p in contents.pictures)
    tree = {
        "name": name,
        "base": {"path": str(base)},
        "datasets": [{"path": str(dataset)} | ({} if layout_repeats else {"repeats": PASSES // EPOCHS})],
        "buckets": {
            "resolution": native, "min_bucket_reso": max(step, native // 2), "max_bucket_reso": native * 2, "bucket_reso_steps": step,
        },
        "captions": {"shuffle_caption": are_tags, "keep_tokens": int(are_tags and trigger is not None)} | ({"trigger": trigger} if trigger else {}),
        "network": {"rank": 16, "alpha": 8.0},
        "training": {"epochs": EPOCHS, "batch_size": 2},
        "optimizer": {"unet_lr": 3e-4, "text_encoder_lr": 5e-5},
        "samples": {"prompts": ["{trigger}"]} if trigger else {},
    }  # fmt: skip
    notes = [f"{len(contents.pictures)} pictures, {PASSES} showings of each in {EPOCHS} epochs" if not layout_repeats
             else f"{len(contents.pictures)} pictures; repeats come from the folders' names",
             f"resolution {native}, the base's own, in buckets of {step} pixels",
             "captions look like tags: they are shuffled" if are_tags else "captions look like sentences (or are missing): they are not shuffled"]  # fmt: skip
    notes += [f"warning: {problem.sentence}" for problem in contents.problems]
    return settings_from(tree), notes


def _native_size(base: Path) -> tuple[int, int]:
    """(native resolution, bucket step) in pixels, from the base's small files."""
    try:
        unet = json.loads((base / "unet" / "config.json").read_text(encoding="utf-8"))
        vae = json.loads((base / "vae" / "config.json").read_text(encoding="utf-8"))
        latent_step = 2 ** (len(vae["block_out_channels"]) - 1)
        return unet["sample_size"] * latent_step, latent_step * 2 ** (len(unet["block_out_channels"]) - 1)
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise BaseModelError(f"the base {base} lacks the config of its unet or vae; give a complete diffusers folder") from error
