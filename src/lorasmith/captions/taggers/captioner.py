"""Captioners: models that describe a picture in sentences. BLIP and Florence-2 run locally; others are called over the network.

A captioner answers `Question`s. The prompt is a template that is filled with the picture's tags, name and folder and the trigger. BLIP
takes a beginning that it completes ("a drawing of"), Florence-2 one of its tasks ("<DETAILED_CAPTION>").
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from lorasmith.captions.caption import join_tags
from lorasmith.captions.taggers.model_folder import model_fingerprint, model_folder
from lorasmith.errors import InputError, SettingsError

MODEL_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
"""Files that are downloaded from a hub repository: no pickles, no code."""

FLORENCE_TASKS = ("<CAPTION>", "<DETAILED_CAPTION>", "<MORE_DETAILED_CAPTION>")
"""The tasks of Florence-2 that give a description."""

PROMPT_FIELDS = ("tags", "name", "folder", "trigger")


@dataclass(frozen=True)
class Question:
    """A picture (RGB) and the prompt to describe it with."""

    picture: Image.Image
    prompt: str


class Captioner(Protocol):
    """A model that describes pictures. `identity` changes with everything that determines its answers except the prompt."""

    identity: str
    default_prompt: str
    batch_size: int

    def describe(self, questions: Sequence[Question]) -> list[str]:
        """One description per question, without line breaks. Raises DescriptionFailed where these pictures cannot be described."""
        ...


class DescriptionFailed(InputError):
    """A picture could not be described; others may still be."""


def filled_prompt(template: str, *, tags: Sequence[str] = (), name: str = "", folder: str = "", trigger: str = "") -> str:
    """The template with `{tags}`, `{name}`, `{folder}` and `{trigger}` filled in; `{{` and `}}` are braces.

    Raises SettingsError where the template has another field.
    """
    known = {"tags": join_tags(tags), "name": name, "folder": folder, "trigger": trigger}
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise SettingsError(f"The prompt {template!r} has an unmatched brace: write {{{{ for a literal brace.") from error
    if unknown := sorted(fields - set(known)):
        raise SettingsError(
            f"The prompt has an unknown field {{{unknown[0]}}}: use {', '.join(f'{{{name}}}' for name in PROMPT_FIELDS)}, and {{{{ for a brace."
        )
    return template.format(**known)


# -- local models -----------------------------------------------------------------------------------------------------


class _Local:
    """What BLIP and Florence-2 have in common: the opened model, its processor and the generation settings."""

    batch_size = 4
    default_prompt = ""

    def __init__(self, model: Any, processor: Any, identity: str, max_new_tokens: int, num_beams: int):
        self.model, self.processor, self.identity = model, processor, identity
        self._generation = {"max_new_tokens": max_new_tokens, "num_beams": num_beams, "do_sample": False}

    def _generate(self, inputs: Mapping[str, Any]) -> Any:
        import torch

        with torch.inference_mode():
            return self.model.generate(**{name: value.to(self.model.device) for name, value in inputs.items()}, **self._generation)


class Blip(_Local):
    """BLIP: completes the prompt, which may be empty. A batch has one prompt."""

    def describe(self, questions: Sequence[Question]) -> list[str]:
        answers: list[str] = []
        for prompt, pictures in _by_prompt(questions):
            text = {"text": [prompt] * len(pictures), "padding": True} if prompt else {}
            out = self._generate(self.processor(images=pictures, return_tensors="pt", **text))
            answers += [_one_line(answer) for answer in self.processor.batch_decode(out, skip_special_tokens=True)]
        return answers


class Florence2(_Local):
    """Florence-2: the prompt is one of `FLORENCE_TASKS`, or a further task of a checkpoint trained for more."""

    default_prompt = "<MORE_DETAILED_CAPTION>"

    def describe(self, questions: Sequence[Question]) -> list[str]:
        answers: list[str] = []
        for prompt, pictures in _by_prompt(questions):
            try:
                inputs = self.processor(images=pictures, text=[prompt] * len(pictures), return_tensors="pt")
            except ValueError as error:
                raise SettingsError(
                    f"Florence-2 does not accept the prompt {prompt!r} ({error}): give one of {', '.join(FLORENCE_TASKS)}."
                ) from error
            out = self._generate(inputs)
            answers += [_one_line(answer) for answer in self.processor.batch_decode(out, skip_special_tokens=True)]
        return answers


LOCAL_CAPTIONERS: dict[str, tuple[str, Callable[..., Captioner]]] = {
    "blip": ("BlipForConditionalGeneration", Blip),
    "florence2": ("Florence2ForConditionalGeneration", Florence2),
}
"""Model type in `config.json` -> the class in transformers, and ours."""


def open_captioner(source: Path | str, *, max_new_tokens: int = 100, num_beams: int = 3, device: str = "auto") -> Captioner:
    """BLIP or Florence-2 from a folder or a hub repository, in float32, without running any code that comes with the weights.

    Raises InputError where it cannot be found or downloaded, is another kind of model, or cannot be opened.
    """
    import torch
    import transformers

    folder = model_folder(source, MODEL_FILES)
    kind = _model_type(folder, source)
    class_name, wrap = LOCAL_CAPTIONERS[kind]
    target = torch.accelerator.current_accelerator(check_available=True) or "cpu" if device == "auto" else device
    try:
        processor = transformers.AutoProcessor.from_pretrained(folder, local_files_only=True)
        model = getattr(transformers, class_name).from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise InputError(f"The captioner {source} cannot be opened ({reason}): download it again, or give another.") from error
    identity = f"{kind} {model_fingerprint(folder)} tokens {max_new_tokens} beams {num_beams}"
    return wrap(model.to(target).eval(), processor, identity, max_new_tokens, num_beams)


def _model_type(folder: Path, source: Path | str) -> str:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind = str(config.get("model_type"))
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{source} has no readable config.json: give the folder of a model as transformers saves it.") from error
    if kind == "florence2" and "auto_map" in config:
        raise InputError(
            f"{source} is a Florence-2 with its own code, which is not run: use the converted model, such as "
            "florence-community/Florence-2-base."
        )
    if kind not in LOCAL_CAPTIONERS:
        raise InputError(
            f"{source} is a model of type {kind!r}: give one of {', '.join(LOCAL_CAPTIONERS)}, or run it in a server and give --endpoint."
        )
    return kind


def _by_prompt(questions: Sequence[Question]) -> list[tuple[str, list[Image.Image]]]:
    """Consecutive questions with the same prompt, grouped."""
    groups: list[tuple[str, list[Image.Image]]] = []
    for question in questions:
        if not groups or groups[-1][0] != question.prompt:
            groups.append((question.prompt, []))
        groups[-1][1].append(question.picture)
    return groups


def _one_line(text: str) -> str:
    return " ".join(text.split())
