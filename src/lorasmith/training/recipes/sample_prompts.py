"""Prompts for the samples of a run, made from the captions of its pictures."""

from __future__ import annotations

from collections.abc import Iterable

from lorasmith.models.architectures.emphasis import escape
from lorasmith.models.prompts.lines import as_line
from lorasmith.training.objective.class_caption import class_caption, trigger_pattern


def sample_prompts(captions: Iterable[str | None], trigger: str | None) -> list[str]:
    """Three captions, which show whether the LoRA learns them, and the first without the trigger, which shows what it changes uncalled.

    The trigger is written `{trigger}`, as `samples.prompts` has it; without captions it is the only prompt. Brackets of captions are
    escaped, since prompts are read with emphasis.
    """
    return [as_line(escape(prompt)) for prompt in _prompts(captions, trigger)]


def _prompts(captions: Iterable[str | None], trigger: str | None) -> list[str]:
    scenes = list(dict.fromkeys(line for caption in captions if (line := _first_line(caption or ""))))
    chosen = list(dict.fromkeys(scenes[third * len(scenes) // 3] for third in range(3))) if scenes else []
    if trigger is None:
        return chosen
    uncalled = class_caption(_called(chosen[0], trigger), "{trigger}") if chosen else ""
    return [*(_called(scene, trigger) for scene in chosen or [trigger]), *([uncalled] if uncalled else [])]


def _called(scene: str, trigger: str) -> str:
    """The caption with `{trigger}` where it names the trigger, or in front where it does not."""
    called, count = trigger_pattern(trigger).subn("{trigger}", scene)
    return called if count else f"{{trigger}}, {scene}"


def _first_line(caption: str) -> str:
    return next((line.strip() for line in caption.splitlines() if line.strip()), "")
