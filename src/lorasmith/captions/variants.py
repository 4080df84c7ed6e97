"""Captions drawn in advance, so that all texts of a run can be encoded before training and the text encoders freed.

With N variants, picture p's caption is drawn N times: line or wildcards, shuffle, tag dropout; (seed, p, k) identifies the k-th draw.
Each sample then picks one of the N. Caption dropout is not drawn in advance: with few variants some pictures would always lose their
caption and others never. It is drawn for each sample, by the same draw as without variants, and needs only one more text, the empty one.

So where nothing else changes a caption, a run with one variant reads exactly the same texts as a run without variants.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lorasmith.captions.rules import CaptionRules, caption_for_training
from lorasmith.draws import rng_for
from lorasmith.errors import SettingsError


def variant(caption: str, rules: CaptionRules, seed: int, picture: int, k: int) -> str:
    """The k-th caption (from 0) of picture number `picture`; it is never left out."""
    always = replace(rules, dropout=0.0, dropout_every_n_epochs=0)
    return caption_for_training(caption, always, rng_for("caption variant", seed, picture, k))


def sampled_caption(caption: str, rules: CaptionRules, variants: int, seed: int, *, epoch: int, picture: int, repeat: int) -> str:
    """What the text encoder reads for one sample, with `variants` (1 or more) of each caption; `epoch` counts from 1."""
    if rules.dropout and rng_for("caption", seed, epoch, picture, repeat).random() < rules.dropout:
        return ""
    if rules.dropout_every_n_epochs and epoch % rules.dropout_every_n_epochs == 0:
        return ""
    k = rng_for("caption variant shown", seed, epoch, picture, repeat).randrange(variants)
    return variant(caption, rules, seed, picture, k)


def captions_needed(pictures: Iterable[tuple[str, CaptionRules]], variants: int, seed: int, also: Iterable[str] = ()) -> list[str]:
    """All different texts that a run can need, in a fixed order: the empty one, every variant, and `also` (prompts, say).

    `pictures` are the captions with their rules in the training set's order; the index is the picture's number.
    """
    drawn = [variant(caption, rules, seed, number, k) for number, (caption, rules) in enumerate(pictures) for k in range(variants)]
    return list(dict.fromkeys(["", *drawn, *also]))


def check_variants(rules: CaptionRules, of_folders: Sequence[CaptionRules], variants: int, text_encoder_trains: bool) -> list[str]:
    """Warnings; `rules` are the run's, `of_folders` those of each of its folders, `variants` 0 is off.

    Raises:
        SettingsError: texts cannot be encoded in advance with these settings.
    """
    if not variants:
        return []
    if text_encoder_trains:
        raise SettingsError(
            "captions.cached_variants encodes all captions before training, but network.train_text_encoder changes how they are encoded: "
            "set one of them to 0 or off.", code="captions.variants",
        )  # fmt: skip
    if rules.token_warmup_step:
        raise SettingsError(
            "captions.token_warmup_step uses more tags with each step, but captions.cached_variants draws captions before the first one: "
            "set one of them to 0.", code="captions.variants",
        )  # fmt: skip
    moving = [
        f"{'captions' if name in _moving(rules) else f'datasets.{number}'}.{name}"
        for number, own in enumerate(of_folders)
        for name in _moving(own)
    ]
    if variants > 1 and not moving:
        return [
            f"captions.cached_variants is {variants}, but nothing makes a picture's captions differ (no shuffle, tag dropout, wildcards or random lines): "
            "1 does the same."
        ]
    if variants == 1 and moving:
        return [f"captions.cached_variants is 1, so {moving[0]} draws once for the whole run: 10 or so keep the variety."]
    return []


def _moving(rules: CaptionRules) -> list[str]:
    """The settings that make a picture's captions differ."""
    settings = {
        "shuffle_caption": rules.shuffle, "caption_tag_dropout_rate": rules.tag_dropout, "enable_wildcard": rules.wildcards,
        "caption_lines": rules.lines == "random",
    }  # fmt: skip
    return [name for name, on in settings.items() if on]
