"""Settings to start from, for a folder of pictures and a base: what the guides advise, fitted to how many pictures there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lorasmith.captions.caption import split_tags
from lorasmith.dataset_folder import regularisation_of
from lorasmith.datasets.folders import concept_in, open_folder
from lorasmith.findings import alike_together, worst_first
from lorasmith.guides import CRASH_COURSE, guides
from lorasmith.images.picture_cache import PICTURES
from lorasmith.models.description import Description, NativeSize
from lorasmith.models.open import describe
from lorasmith.models.widths import SOURCE, widths_of
from lorasmith.pages.numbers import count
from lorasmith.stores import local
from lorasmith.training.recipes.precision import ON_BF16, fitted_to_machine, is_faster_in_bf16
from lorasmith.training.recipes.reasons import because, because_of_family
from lorasmith.training.recipes.recipes import Choice, rate_choice, settings_tree
from lorasmith.training.recipes.sample_prompts import sample_prompts
from lorasmith.training.settings.tree import Settings, settings_from

PASSES = 100
"""Over each picture of a subject; what the crash course advises."""
EPOCHS = 10
"""As many checkpoints to choose from."""


def starting_point(
    dataset: Path,
    base: Path,
    trigger: str | None,
    name: str,
    recipe: Callable[[Description, int], list[Choice]] | None = None,
    cache: Path | None = None,
    allow_pickle: bool = False,
) -> tuple[Settings, list[str]]:
    """Settings for the pictures in `dataset`, and notes that say why; the user edits them.

    `cache` is the folder of all caches: it keeps what is decoded here, and is that of the settings.

    `recipe` gives the choices for a base and a number of pictures; without it each picture is seen about 100 times in 10 epochs. In both,
    rates are for the width of the base, tags are shuffled where captions are tags, repeats in folders' names count, and the resolution is
    the base's own where that is not its family's usual one.
    """
    description = describe(base, allow_pickle=allow_pickle)
    if recipe is not None:
        recipe(description, 1)  # refuses a wrong name before the pictures are decoded
    contents = open_folder(dataset, cache=None if cache is None else cache / PICTURES)
    choices = _for_a_subject(description) if recipe is None else fitted_to_machine(recipe(description, len(contents.pictures)), description)
    native = description.native.side
    tags = [len(split_tags(p.caption)) for p in contents.pictures if p.caption]
    are_tags = bool(tags) and sum(tags) / len(tags) >= 4
    folders_repeat = any(concept_in(p.folder.rsplit("/", 1)[-1]) for p in contents.pictures)
    tree = settings_tree(choices)
    of_folder = tree.pop("datasets", {})
    repeats = of_folder.pop("repeats", PASSES // EPOCHS)
    tree["name"] = name
    if cache is not None:
        tree["cache"] = str(cache)
    tree["base"] = {"path": str(base), "allow_pickle": allow_pickle} | tree.get("base", {})
    tree["datasets"] = [{"path": str(dataset)} | ({} if folders_repeat else {"repeats": repeats}) | of_folder]
    regularisation = regularisation_of(local(dataset))
    if regularisation is not None:
        tree["datasets"].append({"path": str(Path(dataset) / regularisation.name), "is_reg": True})
    tree["buckets"] = first_buckets(choices, description.native)
    captions = tree.setdefault("captions", {})
    captions["shuffle_caption"] = are_tags
    captions["keep_tokens"] = max(1, captions.get("keep_tokens", 1)) if are_tags and trigger is not None else 0
    if trigger:
        captions["trigger"] = trigger
    tree["samples"] = {"prompts": sample_prompts((p.caption for p in contents.pictures), trigger or None)}
    pictures = count(len(contents.pictures), "picture")
    notes = [
        f"{pictures}, {count(repeats, 'repeat')} of each in an epoch" if not folders_repeat else f"{pictures}; repeats come from the folders' names",
        f"resolution {tree['buckets']['resolution']} in buckets of {tree['buckets']['bucket_reso_steps']} pixels; the base's own is {native}",
        "captions look like tags: they are shuffled" if are_tags else "captions look like sentences (or are missing): they are not shuffled",
    ]  # fmt: skip
    notes += [
        f"{choice.setting} {_shown(choice.value)}: {choice.reason} ({choice.source})" for choice in choices if _follows_from_here(choice)
    ]
    if regularisation is not None:
        found = len(open_folder(regularisation, verify=False).pictures)
        of_the_base = f"{count(found, 'regularisation picture')} {'is' if found == 1 else 'are'}"
        notes.append(f"{of_the_base} taken along from {regularisation}: they are trained without the trigger")
    notes += [f"warning: {finding}" for finding in alike_together(worst_first(contents.findings))]
    return settings_from(tree), notes


def first_buckets(choices: Iterable[Choice], native: NativeSize) -> dict[str, Any]:
    """The buckets that a training begins with, as settings: those of a recipe's `choices`, or of the base's own size where it has a smaller one."""
    chosen: dict[str, Any] = settings_tree(list(choices)).get("buckets", {})
    if chosen and native.side >= chosen["resolution"]:
        return chosen
    step = native.bucket_step
    return {
        "resolution": native.side, "min_bucket_reso": max(step, native.side // 2), "max_bucket_reso": native.side * 2, "bucket_reso_steps": step,
    }  # fmt: skip


def _follows_from_here(choice: Choice) -> bool:
    """Whether something was chosen by this base or this computer, which the guides' readers do not expect."""
    return SOURCE in choice.source or choice.source == ON_BF16


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _for_a_subject(description: Description) -> list[Choice]:
    """What is chosen without a recipe."""
    defaults, widths = description.form.defaults, widths_of(description)
    settings: dict[str, Any] = {"network.rank": 16, "network.alpha": 8.0, "training.epochs": EPOCHS, "training.batch_size": 2}
    usual, source = because("usual_for_subject"), guides(CRASH_COURSE)
    if description.record.is_flow:
        settings |= {
            "network.alpha": 16.0, "flow.timestep_sampling": defaults.timestep_sampling, "flow.model_prediction_type": defaults.model_prediction_type,
        }  # fmt: skip
        of_family = because_of_family("rate", "family_rate", description.record)
        rates = [rate_choice("optimizer.unet_lr", defaults.rate.value, of_family, defaults.rate.source, widths.denoiser)]
    else:
        rates = [rate_choice("optimizer.unet_lr", 3e-4, usual, source, widths.denoiser)]
    if defaults.text_encoder_lr == 0:
        settings["network.train_text_encoder"] = False
    else:
        rates.append(rate_choice("optimizer.text_encoder_lr", 5e-5, usual, source, widths.text_encoder))
    return [*(Choice(setting, value, usual, source) for setting, value in settings.items()), *_precision(description), *rates]


def _precision(description: Description) -> Iterable[Choice]:
    """bf16 where it pays on this CPU; on a GPU all programs take it, so it is no loss where there is one."""
    if is_faster_in_bf16(description):
        yield Choice("training.mixed_precision", "bf16", because("bf16_on_cpu"), ON_BF16)
