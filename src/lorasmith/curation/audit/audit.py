"""Judge a pile of pictures: what is wrong with each and with the set, how sure that is, what it does to a LoRA, and what mends it.

    result = audit_dataset("pictures/zorvex", kind="character", resolution=1024)
    for finding in result.findings: ...

Each picture is measured once (`measuring`). Judging is a pure function of the measures (`picture_kinds`, `set_kinds`) and takes no time
worth mentioning. A file that cannot be read is a finding like any other.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lorasmith.curation.audit.checks import switched_off
from lorasmith.curation.audit.picture_kinds import Lost, Training, judge
from lorasmith.curation.audit.score import cost, score_of, worths
from lorasmith.curation.audit.set_kinds import judge_set
from lorasmith.curation.audit.set_signs import LoraKind
from lorasmith.curation.audit.words_kind import WORDS, Words, judge_words
from lorasmith.curation.measuring import Picture, copies_among, measure_all, measure_within
from lorasmith.dataset_folder import holds_no_pictures
from lorasmith.findings import SEVERITIES, Finding
from lorasmith.images.looks import look_at, recalled
from lorasmith.images.picture_cache import PictureCache
from lorasmith.progress import Cancelled, Progress


@dataclass(frozen=True)
class Audit:
    """What an audit found."""

    root: Path
    kind: LoraKind | None
    resolution: int
    pictures: tuple[Picture, ...]
    findings: tuple[Finding, ...]
    """Pictures first, in their order; then the set."""
    score: int
    """0-100, see `why`."""
    why: tuple[tuple[str, float], ...]
    """Which points of 100 were lost for what, the most first."""
    seconds: float
    from_cache: int
    """Pictures whose measures were known."""
    left_out: int = 0
    """Pictures that were not looked at because the audit was stopped."""
    without: tuple[str, ...] = ()
    """Codes of the findings that were not looked for, as was asked."""
    unread: int = 0
    """Pictures whose words were to be read and are not."""

    def __repr__(self) -> str:
        return f"Audit({str(self.root)!r}, {len(self.pictures)} pictures, {len(self.findings)} findings, score {self.score})"

    @property
    def gravest_first(self) -> list[Finding]:
        """The findings by what they cost."""
        return sorted(self.findings, key=lambda finding: -cost(finding))

    @property
    def counts(self) -> dict[str, int]:
        """Code of a finding -> how many, the gravest first."""
        found = Counter(finding.code for finding in self.findings)
        severity = {finding.code: SEVERITIES.index(finding.severity) for finding in self.findings}
        return {code: found[code] for code in sorted(found, key=lambda code: (severity[code], -found[code], code))}

    def of(self, name: str) -> list[Finding]:
        """The findings that concern one picture by itself or as a copy, the gravest first; `name` is its path below `root`."""
        return [finding for finding in self.gravest_first if name in finding.subjects and finding.about != "set"]

    def worst(self, count: int = 10) -> list[tuple[Picture, float]]:
        """The pictures that lost most of their worth (0-1), the worst first; none that lost nothing."""
        worth = worths(self.findings)
        faulty = [(picture, worth[picture.name]) for picture in self.pictures if worth.get(picture.name, 1.0) < 0.999]
        return sorted(faulty, key=lambda one: (one[1], one[0].path))[:count]

    @property
    def as_data(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "dataset": str(self.root), "kind": self.kind, "resolution": self.resolution, "pictures": len(self.pictures),
            "score": self.score, "reasons": [{"reason": reason, "points": points} for reason, points in self.why], "counts": self.counts,
            "worst": [{"picture": picture.name, "worth": round(worth, 3)} for picture, worth in self.worst()],
            "findings": [finding.as_data for finding in self.findings],
            "seconds": round(self.seconds, 2), "from_cache": self.from_cache, "not_looked_at": self.left_out,
            "without": list(self.without),
        }  # fmt: skip


def audit(
    paths: Sequence[Path],
    root: Path,
    *,
    kind: LoraKind | None = None,
    resolution: int = 1024,
    lost: Lost | None = None,
    cache: Path | None = None,
    read_words: bool = False,
    without: Iterable[str] = (),
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    workers: int | None = None,
    within: float | None = None,
) -> Audit:
    """Measure and judge pictures below `root`; `audit_dataset` finds them and knows the buckets.

    `kind` asks whether there are enough for a character, a style or a concept. `resolution` is the side of the training's square, in
    pixels; `lost` says what its buckets crop away. `cache` is a folder to keep what was seen in. `read_words` looks for words with rapidocr
    (a second or two a picture, once; with `within`, those that were read before count). `without` names checks that are switched off (`dark`), which neither find anything nor cost points. Where `cancelled` says so, the rest is left out and what was seen is judged. With `within`, what was measured
    before is judged, with what can be measured in this many seconds.

    Raises:
        DatasetError: there are no pictures. ImportError: `read_words` without rapidocr.
        InputError: the check does not exist, or it cannot be switched off.
    """
    off = switched_off(without)
    if not paths:
        raise holds_no_pictures(root)
    began = time.monotonic()
    pictures: list[Picture] = []
    from_cache = 0
    training = Training(resolution, lost)
    reads = read_words and "audit.text" not in off
    words: dict[str, Words] = {}
    with PictureCache(cache) as known_pictures:
        if within is not None:
            pictures = measure_within(root, paths, known_pictures, workers or os.cpu_count() or 1, within)
            known_words = {picture.name: recalled(picture.path, WORDS, known_pictures) for picture in pictures} if reads else {}
            words = {name: seen.value for name, seen in known_words.items() if seen is not None and seen.value is not None}
        else:
            for picture, known in measure_all(root, paths, known_pictures, workers or os.cpu_count() or 1):
                pictures.append(picture)
                from_cache += known
                if reads and not picture.measures.problem:
                    words[picture.name] = look_at(picture.path, WORDS, known_pictures).value or ()
                if progress:
                    progress(len(pictures), len(paths))
                if cancelled and cancelled():
                    break
        findings = [finding for picture in pictures for finding in judge(picture.name, picture.measures, training, off)]
        findings += judge_words(words)
        findings += judge_set(pictures, kind, partial(copies_among, cache=known_pictures, place=root), off)
    score, why = score_of(len(pictures), findings)
    return Audit(
        root, kind, resolution, tuple(pictures), tuple(findings), score, why, time.monotonic() - began, from_cache, len(paths) - len(pictures),
        tuple(sorted(off)), sum(not picture.measures.problem and picture.name not in words for picture in pictures) if reads else 0,
    )  # fmt: skip
