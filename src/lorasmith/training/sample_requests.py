"""What a run's samples are to show: the prompts of its settings and of its file of prompts, each with its flags."""

from __future__ import annotations

from dataclasses import replace

from lorasmith.errors import SettingsError
from lorasmith.findings import Finding, Fix
from lorasmith.models.architectures.emphasis import escape
from lorasmith.models.prompts.lines import PromptLine, read_line, read_prompt_file, requests_of
from lorasmith.models.prompts.lora_tags import read_lora_tags
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.models.prompts.syntax import prompt_findings
from lorasmith.training.settings.tree import Settings


def sample_requests(settings: Settings) -> list[PictureRequest]:
    """The pictures of a run's samples, in order; the trigger is in its place.

    Raises SettingsError where the file of prompts or a flag cannot be read, or a prompt calls a LoRA.
    """
    samples = settings.samples
    usual = PictureRequest(
        negative_prompt=samples.negative_prompt, seed=samples.seed, width=samples.width, height=samples.height, sampler=samples.sampler,
        steps=samples.steps, cfg_scale=samples.cfg_scale, clip_skip=settings.base.clip_skip,
    )  # fmt: skip
    requests = requests_of(_lines(settings), usual)
    for one in requests:
        if read_lora_tags(one.prompt)[1]:
            raise SettingsError(
                f"The sample prompt {one.prompt!r} calls a LoRA, but a run samples the one that it trains. Remove the tag.",
                code="samples.calls_a_lora", prompt=one.prompt,
            )  # fmt: skip
    return [replace(one, prompt=_called(one.prompt, settings), negative_prompt=_called(one.negative_prompt, settings)) for one in requests]


def check_trigger_in_samples(settings: Settings) -> None:
    """Raises SettingsError where a prompt asks for the trigger in its place, and there is none."""
    texts = [settings.samples.negative_prompt, *(str(value) for line in _lines(settings) for value in line.values.values())]
    if settings.captions.trigger is None and any("{trigger}" in text for text in texts):
        raise SettingsError(
            "A sample prompt uses {trigger}, but captions.trigger is not set. Set it, or write the word.",
            code="settings.missing", setting="captions.trigger",
        )  # fmt: skip


def sample_findings(settings: Settings, family: str) -> list[Finding]:
    """What of the prompts does nothing on a base of this family."""
    lines = _lines(settings)
    flags = sorted({flag for line in lines for flag in (*line.without_effect, *(["--am"] if "strengths" in line.values else []))})
    without_effect = Finding(
        "samples.flags_without_effect", "warning", f"Sample prompts have flags that do nothing here: {', '.join(flags)}.", "option",
        subjects=tuple(flags), fix=Fix("Remove them."),
    )  # fmt: skip
    prompts = (prompt for one in sample_requests(settings) for prompt in (one.prompt, one.negative_prompt))
    return [*([without_effect] if flags else []), *prompt_findings(prompts, family)]


def _lines(settings: Settings) -> list[PromptLine]:
    in_settings = [read_line(prompt) for prompt in settings.samples.prompts]
    file = settings.samples.prompts_file
    return in_settings if file is None else [*in_settings, *read_prompt_file(file)]


def _called(prompt: str, settings: Settings) -> str:
    return prompt.replace("{trigger}", escape(settings.captions.trigger or ""))
