"""Settings in the making: what importers put their findings and settings into, and how settings come of it.

An importer calls `put` for an option that becomes a setting, `leave` for one that does not, `unknown` for one that nobody knows, and
`refuse` where training something else instead would be worse than not training: another network, another optimizer. In the end `settled` checks the settings as a run would check them: what then turns out to have no effect here is taken out again and listed with
that reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from lorasmith.errors import SettingsError
from lorasmith.findings import Finding, Severity
from lorasmith.secrets import HIDDEN, without_secrets
from lorasmith.training.settings.tree import Settings, settings_from

Check = Callable[[Settings], list[str]]
"""Settings to warnings; raises SettingsError where a run would refuse them."""


@dataclass(frozen=True)
class Carried:
    """An option that became a setting."""

    theirs: str
    ours: str
    value: Any
    why: str = ""
    """Why the value is another than theirs; "" where it is the same."""


@dataclass
class Draft:
    """Settings in the making."""

    carried: dict[str, Carried] = field(default_factory=dict)
    """By our name."""
    findings: list[Finding] = field(default_factory=list)
    """What could not be carried over."""
    off: list[str] = field(default_factory=list)
    """Options that are empty, 0 or false, and so ask for nothing."""
    _puts: int = field(default=0, init=False, repr=False)

    @property
    def folders(self) -> list[int]:
        """Numbers of the folders so far."""
        return sorted({int(ours.split(".")[1]) for ours in self.carried if ours.startswith("datasets.")})

    @property
    def made(self) -> tuple[int, int, int]:
        """How often something has been put, left or found off so far."""
        return self._puts, len(self.findings), len(self.off)

    def put(self, theirs: str, ours: str, value: Any, why: str = "") -> None:
        """A setting; the later option counts where two mean the same."""
        before = self.carried.pop(ours, None)
        if before is not None and before.value != value:
            self.leave(before.theirs, before.value, f"{theirs} decides")
        self.carried[ours] = Carried(theirs, ours, value, why)
        self._puts += 1

    def has(self, ours: str) -> bool:
        """Whether a setting has been put."""
        return ours in self.carried

    def leave(self, theirs: str, value: Any, why: str) -> None:
        """An option that does not become a setting."""
        self._find("import.not_carried", "note", theirs, value, why)

    def unknown(self, theirs: str, value: Any, why: str) -> None:
        """An option that nobody knows."""
        self._find("import.unknown", "warning", theirs, value, why)

    def refuse(self, theirs: str, value: Any, why: str) -> None:
        """An option that has to be changed in the file, because without it another network or another optimizer would be trained."""
        self._find("import.refused", "error", theirs, value, why)

    def of(self, code: str) -> list[Finding]:
        """The findings with this code."""
        return [finding for finding in self.findings if finding.code == code]

    @property
    def refusal(self) -> str:
        """Why no settings come of it; "" where nothing was refused."""
        return " ".join(f"{' '.join((*finding.subjects, *finding.details))}: {finding.why}" for finding in self.of("import.refused"))

    def _find(self, code: str, severity: Severity, theirs: str, value: Any, why: str) -> None:
        what = "is not known" if code == "import.unknown" else "was not carried over"
        self.findings.append(
            Finding(
                code=code,
                severity=severity,
                message=f"{theirs} {what}.",
                about="option",
                subjects=(theirs,),
                why=without_secrets(sentence(why)),
                details=() if value is None else (shown(theirs, value),),
            )
        )

    def remove(self, each: Carried, why: str) -> None:
        """A setting that cannot stay."""
        del self.carried[each.ours]
        self.leave(each.theirs, each.value, why)

    def tree(self, without: Carried | None = None) -> dict[str, Any]:
        """The settings as nested sections."""
        tree: dict[str, Any] = {}
        folders: dict[int, dict[str, Any]] = {}
        for each in self.carried.values():
            if each is without:
                continue
            *section, name = each.ours.split(".")
            if section[:1] == ["datasets"]:
                folders.setdefault(int(section[1]), {})[name] = each.value
            elif section[:2] == ["optimizer", "args"]:
                tree.setdefault("optimizer", {}).setdefault("args", {})[name] = each.value
            elif section:
                tree.setdefault(section[0], {})[name] = each.value
            else:
                tree[name] = each.value
        return tree | ({"datasets": [folders[n] for n in sorted(folders)]} if folders else {})


def sentence(words: str) -> str:
    """A reason as a sentence; one that starts with the name of an option or a trainer keeps its spelling."""
    first = words.partition(" ")[0]
    start = words[:1] if "_" in first or "." in first or first in ("sd-scripts", "ai-toolkit") else words[:1].upper()
    return f"{start}{words[1:].rstrip('.')}."


def shown(option: str, value: Any) -> str:
    """A value for people, cut short; keys, tokens and passwords are not shown."""
    value = without_secrets(value, _last_name(option))
    text = HIDDEN if value == HIDDEN else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:79]}..."


def _last_name(option: str) -> str:
    """`token` of `publishing.token` and of `additional_parameters --token`."""
    return re.split(r"[\s.]", option.strip())[-1]


def settled(draft: Draft, check: Check) -> tuple[Settings | None, str, list[str]]:
    """The settings, what a run would still refuse them for, and its warnings; what has no effect here is taken out and listed."""
    while not draft.refusal:
        try:
            settings = Settings.model_validate(draft.tree())
        except ValidationError as error:
            culprit = _at(draft, error.errors(include_url=False)[0]["loc"])
            reason = _refusal(draft.tree())
            if culprit is None:
                return None, reason, []
            if culprit.ours in _OF_THE_NETWORK:
                del draft.carried[culprit.ours]
                draft.refuse(culprit.theirs, culprit.value, f"{reason} Change it in the file, or the network would be another one")
            else:
                draft.remove(culprit, f"Lorasmith refuses it: {reason}")
            continue
        try:
            return settings, "", check(settings)
        except SettingsError as error:
            carried = list(draft.carried.values())
            named = sorted((place, n) for n, each in enumerate(carried) if (place := _place_in(str(error), each.ours)) >= 0)
            # what is at fault is named first
            culprit = next((carried[n] for _, n in named if _helps(draft, carried[n], str(error), check)), None)
            if culprit is None:
                return settings, str(error), []
            draft.remove(culprit, str(error))
    return None, draft.refusal, []


_OF_THE_NETWORK = frozenset(
    f"network.{name}" for name in ("kind", "rank", "alpha", "conv_rank", "conv_alpha", "factor", "block_size", "layers")
)
"""Settings for which a value that is refused does not become our default: another network would be trained."""


def _place_in(text: str, setting: str) -> int:
    """Where a sentence names a setting (and not one that begins alike); -1 where it does not."""
    found = re.search(rf"(?<![\w.]){re.escape(setting)}(?![\w.]*\w)", text)
    return found.start() if found else -1


def _helps(draft: Draft, each: Carried, complaint: str, check: Check) -> bool:
    """Whether the complaint is gone without this setting."""
    try:
        check(Settings.model_validate(draft.tree(without=each)))
    except SettingsError as error:
        return str(error) != complaint
    except ValidationError:
        return False
    return True


def _at(draft: Draft, place: tuple[int | str, ...]) -> Carried | None:
    """The setting that a fault is in."""
    words = [str(part) for part in place]
    return next((each for each in draft.carried.values() if each.ours.split(".") == words[: len(each.ours.split("."))]), None)


def _refusal(tree: dict[str, Any]) -> str:
    if not tree.get("base", {}).get("path"):
        return "The file names no base model. Give one with --base."
    if not tree.get("datasets"):
        return "The file names no folder of pictures. Give one with --dataset."
    try:
        settings_from(tree)
    except SettingsError as error:
        return str(error)
    return ""
