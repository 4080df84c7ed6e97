"""The card of a published LoRA: what it is for, how to use it, how it was made and what is known of it.

As data (`card.json`) and as Markdown with the head that Hugging Face's hub reads (`README.md`): base_model, instance_prompt, widget, tags,
license, and a gallery of the pictures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from lorasmith.json_text import table_of
from lorasmith.library.privacy import PRIVATE, without_private
from lorasmith.library.publish.pictures import Preview
from lorasmith.library.publish.subject import Judgement, Subject
from lorasmith.models.families import FAMILIES
from lorasmith.models.samplers import SAMPLERS
from lorasmith.pages.numbers import count, learning_rate

LICENSES = (
    "apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0",
    "openrail", "creativeml-openrail-m", "openrail++", "bigscience-openrail-m", "bigscience-bloom-rail-1.0", "wtfpl", "unlicense",
    "gpl-3.0", "agpl-3.0", "other", "unknown",
)  # fmt: skip
"""Licences that the hub knows by a short name; of another one it shows the name."""
NOT_MEASURED = "Nobody has measured how good this LoRA is."
START_AT = "Start at weight 0.7 to 1, and look for yourself."


@dataclass(frozen=True)
class Card:
    """What is said of a LoRA. Texts are "" and numbers None where nothing is known."""

    name: str
    title: str
    description: str
    author: str
    license: str
    triggers: str
    family: str
    base: str
    """The base model's file name."""
    base_model: str
    """Its id on the hub."""
    network: str
    """Kind and ranks, in words."""
    weight: float | None
    weights_as_good: tuple[float, ...]
    settings: dict[str, str]
    """To generate with it: sampler, steps and so on, as the pictures were."""
    verdict: tuple[str, ...]
    """What was measured, in sentences."""
    loads_in: tuple[str, ...]
    """Programs that load all of it."""
    training: dict[str, str]
    dataset: tuple[str, ...]
    """What it was trained on, in counts."""
    rights: tuple[str, ...]
    """What its maker confirmed of the training images."""
    hashes: dict[str, str]
    prompts: tuple[str, ...]
    """Of the pictures, in their order."""

    @property
    def as_data(self) -> dict[str, Any]:
        """For `card.json`."""
        return asdict(self)


def make_card(
    subject: Subject, name: str, previews: Sequence[Preview], *, family: str, network: str, loads_in: Sequence[str], hashes: Mapping[str, str],
    description: str = "", author: str = "", license: str = "", base_model: str = "",
) -> Card:  # fmt: skip
    """The card of a subject; what is not given is taken from its metadata."""
    metadata, judged = subject.metadata, subject.judgement
    return Card(
        name=name,
        title=_said(metadata, "modelspec.title") or name,
        description=description or _said(metadata, "modelspec.description"),
        author=author or _said(metadata, "modelspec.author"),
        license=license or _said(metadata, "modelspec.license"),
        triggers=subject.trigger,
        family=FAMILIES[family].title if family in FAMILIES else family,
        base=_base_name(metadata),
        base_model=base_model,
        network=network,
        weight=None if judged is None else judged.weight,
        weights_as_good=() if judged is None else judged.as_good,
        settings=_settings(previews),
        verdict=_verdict(judged),
        loads_in=tuple(loads_in),
        training=_training(metadata),
        dataset=_dataset(subject),
        rights=_rights(subject),
        hashes=dict(hashes),
        prompts=tuple("" if preview.parameters is None else preview.parameters.request.prompt for preview in previews),
    )


def _rights(subject: Subject) -> tuple[str, ...]:
    if subject.rights_said:
        return (f"The maker has confirmed the rights to the training images: {subject.rights_said.rstrip('.')}.",)
    return tuple(
        f"The maker has confirmed the rights to {count(rights.pictures, 'image')}: {rights.words} ({rights.when[:10]})."
        for rights in subject.rights
        if rights is not None
    )


def as_markdown(card: Card, pictures: Sequence[str], repository: str = "") -> str:
    """The card as `README.md`; `pictures` are the paths of the pictures, `repository` is the id on the hub that it will have."""
    head = yaml.safe_dump(_head(card, pictures), sort_keys=False, allow_unicode=True, width=1000)
    sections = [
        f"# {card.title}", card.description, "<Gallery />" if pictures else "",
        _section("How to use it", _use(card)), _section("Is it good?", card.verdict), _pictures_with_prompts(card, pictures),
        _section("In diffusers", _diffusers(card, repository)),
        _section("How it was made", [*card.dataset, *card.rights, "", *(f"- {what}: {value}" for what, value in card.training.items())]),
        _section("Known by", [f"- {what}: `{value}`" for what, value in card.hashes.items()]),
        _section("Licence", [card.license]),
    ]  # fmt: skip
    return f"---\n{head}---\n\n" + "\n\n".join(filter(None, sections)) + "\n"


def _said(metadata: Mapping[str, str], key: str) -> str:
    value = metadata.get(key, "").strip()
    return "" if value == "None" else value


def _base_name(metadata: Mapping[str, str]) -> str:
    """What the base is called, without the folders that some trainers write before it."""
    name = _said(without_private(metadata), "ss_sd_model_name")
    return "" if name == PRIVATE else name


def _settings(previews: Sequence[Preview]) -> dict[str, str]:
    """How the pictures were generated, as far as all that say it agree."""
    said = [preview.parameters.request for preview in previews if preview.parameters is not None]
    shown = {
        "sampler": [SAMPLERS[request.sampler].title if request.sampler else "" for request in said],
        "steps": [str(request.steps or "") for request in said],
        "CFG scale": [f"{request.cfg_scale:g}" if request.cfg_scale is not None else "" for request in said],
        "guidance": [f"{request.guidance:g}" if request.guidance is not None else "" for request in said],
        "clip skip": [str(request.clip_skip) if request.clip_skip > 1 else "" for request in said],
        "size": [f"{request.width}x{request.height}" if request.width else "" for request in said],
    }
    return {title: values[0] for title, values in shown.items() if len({*values}) == 1 and values[0]}


def _verdict(judged: Judgement | None) -> tuple[str, ...]:
    if judged is None:
        return (NOT_MEASURED, START_AT)
    first = {
        "good": "Measured on prompts that it was not trained with: it is good.",
        "cannot tell": "It was measured, and whether it is good could not be decided: look at the pictures.",
    }.get(judged.headline, f"Measured: it is {judged.headline}.")
    return (first, *judged.meanings)


def _training(metadata: Mapping[str, str]) -> dict[str, str]:
    """The settings that people ask for."""
    shown = {
        "steps": "ss_steps", "epochs": "ss_epoch", "batch size": "ss_batch_size_per_device", "resolution": "modelspec.resolution",
        "optimizer": "ss_optimizer", "schedule": "ss_lr_scheduler", "learning rate": "ss_unet_lr", "learning rate of the text encoder": "ss_text_encoder_lr",
        "clip skip": "ss_clip_skip", "min SNR gamma": "ss_min_snr_gamma", "noise offset": "ss_noise_offset",
    }  # fmt: skip
    found = {title: _said(metadata, key) for title, key in shown.items()}
    found["optimizer"] = found["optimizer"].partition("(")[0].rpartition(".")[2]
    for title in ("learning rate", "learning rate of the text encoder"):
        with suppress(ValueError):
            found[title] = learning_rate(float(found[title]))
    return {title: value for title, value in found.items() if value}


def _dataset(subject: Subject) -> tuple[str, ...]:
    """How many images; of what is in them nothing, for their folders' names are private."""
    folders = [
        entry
        for name, entry in table_of(subject.metadata.get("ss_dataset_dirs", "")).items()
        if name not in table_of(subject.metadata.get("ss_reg_dataset_dirs", ""))
    ]
    try:
        images = sum(int(entry["img_count"]) for entry in folders)
        passes = sum(int(entry["img_count"]) * int(entry["n_repeats"]) for entry in folders)
        regularisation, trained = (int(_said(subject.metadata, f"ss_num_{what}_images") or 0) for what in ("reg", "train"))
    except (KeyError, TypeError, ValueError):
        return ()
    if not images:
        return ()
    if regularisation and passes == trained + regularisation:  # they are among the folders, with one repeat
        images -= regularisation
    beside = f", beside {count(regularisation, 'regularisation image')}" if regularisation else ""
    return (f"Trained on {count(images, 'image')}{beside}.",)


def _use(card: Card) -> list[str]:
    weight = f"{1 if card.weight is None else card.weight:g}"
    tagged = f"<lora:{card.name}:{weight}>"
    lines = [f"You should use `{card.triggers}` to trigger it." if card.triggers else "It has no trigger word: it acts on every prompt."]
    lines += ["", f"    {', '.join(filter(None, (card.triggers, 'your words')))} {tagged}", ""]
    if card.weight is not None:
        others = ", ".join(f"{other:g}" for other in sorted(card.weights_as_good))
        lines.append(f"- weight: {weight}" + (f" ({others} {'is' if len(card.weights_as_good) == 1 else 'are'} as good)" if others else ""))
    lines += [f"- {what}: {value}" for what, value in card.settings.items()]
    lines.append(f"- made for: {card.family}" + (f", on {card.base}" if card.base else ""))
    lines.append(f"- network: {card.network}")
    return [*lines, f"- loads in: {', '.join(card.loads_in)}"] if card.loads_in else lines


def _pictures_with_prompts(card: Card, pictures: Sequence[str]) -> str:
    rows = [f"| ![]({picture}) | {_as_typed(prompt)} |" for picture, prompt in zip(pictures, card.prompts, strict=True)]
    return "\n".join(("## Pictures\n", "| picture | prompt |", "| --- | --- |", *rows)) if rows else ""


def _as_typed(prompt: str) -> str:
    """A prompt in a table as code, so that `\\(`, `*` and `<lora:...>` stay what they are and it can be copied; on one line."""
    text = " ".join(prompt.split()).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}" if text else ""


def _without_tags(prompt: str) -> str:
    """A prompt for programs that read no tags such as <lora:zorvex:0.8>, wherever they are in it."""
    return " ".join(re.sub(r"<\w+:[^<>]+>", " ", prompt).split()).replace(" ,", ",").strip(", ")


def _diffusers(card: Card, repository: str) -> list[str]:
    if not (card.base_model and "diffusers" in card.loads_in):
        return []
    prompt = next(filter(None, (*map(_without_tags, card.prompts), card.triggers)), "your words")
    return [
        "```py", "import torch", "from diffusers import AutoPipelineForText2Image", "",
        f'pipeline = AutoPipelineForText2Image.from_pretrained("{card.base_model}", torch_dtype=torch.float16).to("cuda")',
        f'pipeline.load_lora_weights("{repository or "."}", weight_name="{card.name}.safetensors")',
        f"image = pipeline({prompt!r}).images[0]", "```",
    ]  # fmt: skip


def _section(title: str, lines: Sequence[str]) -> str:
    text = "\n".join(lines).strip("\n")
    return f"## {title}\n\n{text}" if text else ""


def _head(card: Card, pictures: Sequence[str]) -> dict[str, Any]:
    """The fields of the hub's model cards."""
    license_ = card.license.lower()
    return {
        **({"license": license_} if license_ in LICENSES else {"license": "other", "license_name": license_.replace(" ", "-")} if license_ else {}),
        **({"library_name": "diffusers"} if "diffusers" in card.loads_in else {}),
        "pipeline_tag": "text-to-image",
        **({"base_model": card.base_model, "base_model_relation": "adapter"} if card.base_model else {}),
        **({"instance_prompt": card.triggers} if card.triggers else {}),
        "tags": ["text-to-image", "lora", *(["diffusers", "template:sd-lora"] if "diffusers" in card.loads_in else []), "lorasmith"],
        **(
            {"widget": [{"text": _without_tags(prompt) or "-", "output": {"url": url}} for url, prompt in zip(pictures, card.prompts, strict=True)]}
            if pictures
            else {}
        ),
    }  # fmt: skip
