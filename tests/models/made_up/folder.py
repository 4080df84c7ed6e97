"""A base of the made-up family in a diffusers folder."""

import json

import torch

from lorasmith.models.parts import build
from tests.models import toys
from tests.models.made_up.family import PARTS, SCHEDULER


def write_folder(folder):
    """Random weights, the tokenizer beside them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, part in PARTS.items():
            build(part).save_pretrained(folder / name)
    toys.t5_tokenizer().save_pretrained(folder / "tokenizer")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER[1]), encoding="utf-8")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "MadeUpPipeline"}), encoding="utf-8")
    return folder
