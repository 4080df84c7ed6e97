"""The reference for people who come from another trainer, made from the importers: what each option of theirs becomes here, and what has no place.

An option is read by the importer's own row, with values of several kinds; the setting that comes of it is what stands here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lorasmith.errors import SettingsError
from lorasmith.handbook.settings import address
from lorasmith.handbook.tables import table
from lorasmith.training.importers import ai_toolkit, onetrainer, simpletuner
from lorasmith.training.importers.draft import Draft
from lorasmith.training.importers.option_table import OptionTable, take_one
from lorasmith.training.importers.sd_scripts_names import names_in_sd_scripts

PAGE = "reference/moving.md"

TABLES: Mapping[str, OptionTable] = {"ai-toolkit": ai_toolkit.TABLE, "OneTrainer": onetrainer.TABLE, "SimpleTuner": simpletuner.TABLE}

CIVITAI: Mapping[str, str] = {
    "Epochs": "training.epochs", "Num Repeats": "datasets.repeats", "Train Batch Size": "training.batch_size", "Resolution": "buckets.resolution",
    "Enable Bucket": "buckets.enable_bucket", "Shuffle Tags": "captions.shuffle_caption", "Keep Tokens": "captions.keep_tokens",
    "Clip Skip": "base.clip_skip", "Flip Augmentation": "datasets.flip_aug", "Unet LR": "optimizer.unet_lr", "Text Encoder LR": "optimizer.text_encoder_lr",
    "LR Scheduler": "schedule.lr_scheduler", "LR Scheduler Cycles": "schedule.lr_scheduler_num_cycles", "Min SNR Gamma": "loss.min_snr_gamma",
    "Network Dim": "network.rank", "Network Alpha": "network.alpha", "Noise Offset": "noise.noise_offset", "Optimizer": "optimizer.type",
    "Optimizer Args": "optimizer.args",
}  # fmt: skip
"""The fields of Civitai's trainer -> our settings. It exports no file; a LoRA that it trained can be imported itself."""

_VALUES = (1, 2, 0.5, True, "lora", "cosine", "constant", "AdamW", "bf16", "BFLOAT_16", "NFLOAT_4", "sigmoid", "a", ["a"])
"""One of them is a value of each option."""


def page() -> str:
    """The whole reference, in Markdown."""
    parts = [
        "# Coming from another trainer",
        "`lorasmith import-settings FILE --out my-lora.toml` does all of this, and says of each option what became of it: it reads the files of "
        "sd-scripts and kohya_ss (scripts, TOML, JSON), ai-toolkit, OneTrainer, SimpleTuner and LoRA_Easy_Training_Scripts, and the metadata of LoRA "
        "files. These are its tables.",
        "## sd-scripts and kohya_ss",
        "Options that are called the same here are left out.",
        table(("there", "here"), ((f"`{theirs}`", _ours((ours,))) for ours, names in names_in_sd_scripts().items() for theirs in names)),
    ]
    for trainer, options in TABLES.items():
        parts += [
            f"## {trainer}",
            table(("there", "here"), ((f"`{theirs}`", _ours(ours)) for theirs, ours in carried(options))),
            *_together(options),
            "What has no place here (`*` stands for several):",
            table(("there", "why"), ((f"`{theirs}`", why) for theirs, why in options.left.items())),
        ]
    parts += [
        "## Civitai's trainer",
        "It writes no file of its settings, but a LoRA that it trained has most of them: give that to `import-settings`.",
        table(("there", "here"), ((theirs, _ours((ours,))) for theirs, ours in CIVITAI.items())),
    ]
    return "\n\n".join(parts)


def _together(options: OptionTable) -> Iterator[str]:
    """Options that mean something only beside others."""
    alone = dict(carried(options))
    if beside := [f"`{theirs}`" for theirs in options.rows if theirs not in alone]:
        yield f"Read together with others: {', '.join(beside)}."


def carried(options: OptionTable) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(their option, our settings) for each row."""
    for theirs, row in options.rows.items():
        for value in _VALUES:
            draft = Draft()
            try:
                take_one(draft, theirs, value, row)
            except SettingsError:  # a value that this option refuses
                continue
            if draft.carried:
                yield theirs, tuple(each.ours for each in draft.carried.values())
                break


def _ours(settings: tuple[str, ...]) -> str:
    return ", ".join(f"[`{setting}`]({address(setting).rpartition('/')[2]})" for setting in settings)
