"""Judge a pile of pictures: what is wrong with each and with the set, how sure that is, what it does to a LoRA, and what mends it.

    result = audit(paths, root, kind="character", resolution=1024)
    for finding in result.findings: ...

Each picture is measured once (`measures`), in a pool of threads - decoding and filtering run outside Python's lock - with at most a few
pictures in memory; what was measured is kept by content (`measure_cache`). Judging is a pure function of the measures and takes no time
worth speaking of. A file that cannot be read is a finding like any other.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from lorasmith.curation.audit import set_signs
from lorasmith.curation.audit.kinds import KINDS, SEVERITIES, Finding, certainty
from lorasmith.curation.audit.measure_cache import MeasureCache, file_state
from lorasmith.curation.audit.set_signs import SetKind
from lorasmith.errors import DatasetError
from lorasmith.images import adversarial, lettering
from lorasmith.images.duplicates import Copy, best_copy, near_duplicate_groups
from lorasmith.images.measures import Measures, measure
from lorasmith.images.read import content_hash, read_picture

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Told (done, of how many) pictures."""

Lost = Callable[[tuple[int, int]], float]
"""Width and height of a picture -> share of it that the training crops away, 0-1."""

LARGEST_SIDE = 3000
WIDEST = 3.0
"""Long side over short side."""

BLOCKY = 1.8
"""`signs.blocking` over which an earlier compression was strong."""

WEIGHTS = {"error": 1.0, "warning": 0.4, "note": 0.08}
"""Share of a picture's worth that a finding of this severity costs, times its certainty."""

OF_THE_SET = ("same background", "same pose", "one source", "set too small", "set too large", "same lettering")
SET_POINTS = {"warning": 10.0, "note": 3.0}
"""Points of 100 that a finding about the set costs, times its certainty."""


@dataclass(frozen=True)
class Picture:
    """One file of the pile with what was measured."""

    path: Path
    measures: Measures


@dataclass(frozen=True)
class Audit:
    """What an audit found."""

    root: Path
    kind: SetKind | None
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

    @property
    def counts(self) -> dict[str, int]:
        """Kind of finding -> how many, the gravest first."""
        found = Counter(finding.kind for finding in self.findings)
        return {kind: found[kind] for kind in sorted(found, key=lambda k: (SEVERITIES.index(KINDS[k].severity), -found[k], k))}

    def of(self, path: Path) -> list[Finding]:
        """The findings that concern one picture by itself or as a copy, the gravest first."""
        own = [f for f in self.findings if path in f.paths and f.kind not in OF_THE_SET]
        return sorted(own, key=lambda f: -_cost(f))

    def worst(self, count: int = 10) -> list[tuple[Picture, float]]:
        """The pictures that lost most of their worth (0-1), the worst first; none that lost nothing."""
        worths = _worths(self.pictures, self.findings)
        spoilt = [(picture, worths[picture.path]) for picture in self.pictures if worths[picture.path] < 0.999]
        return sorted(spoilt, key=lambda one: (one[1], one[0].path))[:count]

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "dataset": str(self.root),
            "kind": self.kind,
            "resolution": self.resolution,
            "pictures": len(self.pictures),
            "score": self.score,
            "why": [{"reason": reason, "points": points} for reason, points in self.why],
            "counts": self.counts,
            "worst": [{"picture": p.path.relative_to(self.root).as_posix(), "worth": round(w, 3)} for p, w in self.worst()],
            "findings": [finding.as_json(self.root) for finding in self.findings],
            "seconds": round(self.seconds, 2),
            "from_cache": self.from_cache,
            "left_out": self.left_out,
        }


def audit(
    paths: Sequence[Path],
    root: Path,
    *,
    kind: SetKind | None = None,
    resolution: int = 1024,
    lost: Lost | None = None,
    cache: Path | None = None,
    read_words: bool = False,
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
    workers: int | None = None,
) -> Audit:
    """Measure and judge pictures that lie below `root`.

    `kind` asks whether there are enough for a character, a style or a concept. `resolution` is the side of the training's square, in
    pixels; `lost` says what its buckets crop away. `cache` is a folder to keep measures in. `read_words` looks for words with rapidocr
    (a second or two a picture). Where `cancel` says so, the rest is left out and what was seen is judged.

    Raises:
        DatasetError: there are no pictures. ImportError: `read_words` without rapidocr.
    """
    if not paths:
        raise DatasetError(f"{root} holds no pictures: give the folder that they lie in.")
    began = time.monotonic()
    store = MeasureCache(cache) if cache is not None else None
    pictures: list[Picture] = []
    from_cache = 0
    try:
        for path, measures, known in _measured(paths, store, workers or os.cpu_count() or 1):
            pictures.append(Picture(path, measures))
            from_cache += known
            if progress:
                progress(len(pictures), len(paths))
            if cancel and cancel():
                break
    finally:
        if store is not None:
            store.close()
    findings = [finding for picture in pictures for finding in judge(picture, resolution, lost)]
    if read_words:
        findings += _words(pictures)
    findings += judge_set(pictures, root, kind)
    score, why = score_of(pictures, findings)
    return Audit(
        root, kind, resolution, tuple(pictures), tuple(findings), score, why, time.monotonic() - began, from_cache, len(paths) - len(pictures)
    )  # fmt: skip


# Measuring


def _measured(paths: Sequence[Path], store: MeasureCache | None, workers: int) -> Iterator[tuple[Path, Measures, bool]]:
    """Each path in order with its measures, and whether they were known; a few files at a time are in work."""
    known = store.known() if store else set()
    waiting: deque[tuple[Path, str, Measures | None, Future[Measures | str] | None]] = deque()
    with _one_thread_a_call(), ThreadPoolExecutor(workers) as pool:
        try:
            for place, path in enumerate(paths):
                state, measures = "", None
                if store:
                    try:
                        state = file_state(path)
                    except OSError:
                        state = ""  # measuring says what is wrong with it
                    content = store.content_of(path, state) if state else None
                    measures = store.measures_of(content) if content else None
                waiting.append((path, state, measures, None if measures else pool.submit(_hash_and_measure, path, known)))
                while waiting and (len(waiting) > 4 * workers or waiting[0][2] is not None):
                    yield _finished(*waiting.popleft(), store)
                if store and place % 200 == 199:
                    store.save()
            while waiting:
                yield _finished(*waiting.popleft(), store)
        finally:
            for *_, future in waiting:
                if future:
                    future.cancel()


def _hash_and_measure(path: Path, known: set[str]) -> Measures | str:
    """The measures of a file, or the hash of its bytes if those are known."""
    try:
        content = content_hash(path)
        return content if content in known else measure(path, content, path.stat().st_size)
    except DatasetError as error:
        return Measures("", 0, problem=str(error))
    except OSError as error:
        return Measures("", 0, problem=f"{path} cannot be read ({error.strerror}): check the disk that it lies on.")
    except Exception as error:  # a fault of ours, and still no reason to lose what the other pictures say
        log.exception("measuring %s", path)
        return Measures("", 0, problem=f"{path} could not be measured ({type(error).__name__}): please report it with the picture.")


def _finished(
    path: Path, state: str, measures: Measures | None, future: Future[Measures | str] | None, store: MeasureCache | None
) -> tuple[Path, Measures, bool]:
    if measures is not None:
        return path, measures, True
    assert future is not None
    result = future.result()
    was_known = isinstance(result, str)
    if isinstance(result, str):
        assert store is not None
        result = store.measures_of(result) or measure(path, result, path.stat().st_size)
    if store:
        store.put(path, state, result)
    return path, result, was_known


@contextmanager
def _one_thread_a_call() -> Iterator[None]:
    """OpenCV works in the calling thread meanwhile: the pool is the parallelism."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


# Judging one picture


def judge(picture: Picture, resolution: int = 1024, lost: Lost | None = None) -> list[Finding]:
    """What its measures say about one picture."""
    m = picture.measures
    found: list[Finding] = []

    def add(kind: str, number: float, unit: str, evidence: str, sure: float, detail: str = "") -> None:
        found.append(Finding(kind, (picture.path,), round(number, 3), unit, evidence, sure, detail))

    if m.problem:
        add("unreadable", 0, "pixels", "nothing could be decoded", 1.0, m.problem)
        return found
    width, height = m.size
    area, wanted = width * height, resolution * resolution
    if area < 0.9 * wanted:
        share = (area / wanted) ** 0.5
        sure = certainty(share, 0.95, 0.6)
        add("too small", area**0.5, "pixels", f"{width} x {height} pixels, {share:.0%} of the side of {resolution} that is trained", sure)
    if max(m.size) > LARGEST_SIDE:
        add("too large", max(m.size), "pixels", f"{width} x {height} pixels", 0.95)
    if m.clear > 0.001:
        add("transparent", 100 * m.clear, "% of the area", f"{m.clear:.1%} of the area is not opaque", 0.95)
    _judge_compression(m, add)
    tiny = area < 64 * 64
    blank = m.detail < 0.03 and not tiny
    if m.edge_width > 2.2 and not blank and not tiny:
        evidence = (
            "not one clear edge" if m.edge_width >= 9 else f"even the sharpest edges are as soft as a blur of {m.edge_width:.1f} pixels"
        )
        add("blurred", m.edge_width, "pixels of 512", f"{evidence} in a picture of 512 x 512", certainty(m.edge_width, 2.2, 4))
    dark = m.bright < 55
    burnt = _is_burnt(m)
    if blank:
        evidence = f"{m.detail:.1%} of the area holds any detail"
        add("little to see", 100 * m.detail, "% of the area", evidence, certainty(m.detail, 0.03, 0))
    if dark:
        evidence = f"98 of 100 pixels are darker than {m.bright:.0f} of 255"
        add("dark", m.bright, "of 255", evidence, certainty(m.bright, 55, 25))
    if burnt:
        add(
            "blown out",
            100 * m.clipped,
            "% of the area",
            f"{m.clipped:.0%} of the area is at the upper end",
            certainty(m.clipped, 0.05, 0.6),
        )
    _judge_shape(m, lost, blank, add)
    if m.views > 1:
        add("several views", m.views, "views", f"{m.views} views lie apart on one ground", 0.85)
    likeness = adversarial.score(m.noise)
    if likeness >= 50 and not tiny:
        evidence = f"score {likeness} of 100: fine colour noise of {m.noise:.1f} steps of 255 even where the picture is even"
        add(
            "adversarial noise",
            likeness,
            "of 100",
            evidence,
            round(0.4 + 0.4 * (likeness - 50) / 50, 2),
            "A heuristic: film grain looks alike.",
        )
    if m.animated:
        add("animated", 1, "frame used", "it has more than one frame, and the first was read", 1.0)
    if m.coloured < 1.0 and not dark and not blank:
        add("greyscale", m.coloured, "of 255", f"its colours differ from grey by {m.coloured:.1f} of 255", 0.95)
    return found


def _is_burnt(m: Measures) -> bool:
    """Whether light areas have run into white. What stands on white paper has not, though much of it is white.

    Three marks, each of which needs a part at the end of the scale: nothing in the picture is dark; much is at the end and little is
    dark; much is at the end and the rest fades into it.
    """
    if m.rim > 0.985 and m.deepest <= 120:
        return False
    hazy = m.clipped > 0.05 and m.deepest > 90
    light = m.clipped > 0.4 and m.dark > 70 and m.rest > 90 and m.deepest > 45
    faded = m.clipped > 0.4 and m.fading > 0.45
    return hazy or light or faded


def _judge_compression(m: Measures, add: Callable[..., None]) -> None:
    """By the file's own tables where it is a JPEG; else by the blocks that an earlier compression left."""
    if m.quality is not None and m.quality < 50:
        add("compressed", m.quality, "JPEG quality", f"JPEG quality {m.quality:.0f} of 100, by its tables", certainty(m.quality, 50, 20))
    elif m.blocking > BLOCKY and (m.quality is None or m.quality > 90):
        evidence = f"brightness bends {m.blocking:.1f} times as much on a grid of 8 pixels as elsewhere"
        add(
            "compressed",
            m.blocking,
            "times",
            evidence,
            certainty(m.blocking, BLOCKY, 3.5),
            "The file itself is of good quality: it is a copy.",
        )


def _judge_shape(m: Measures, lost: Lost | None, blank: bool, add: Callable[..., None]) -> None:
    width, height = m.size
    ratio = max(m.size) / min(m.size)
    away = lost(m.size) if lost else max(0.0, 1 - WIDEST / ratio)
    if ratio > WIDEST:
        evidence = f"{width} x {height} pixels, {ratio:.1f} to 1; {away:.0%} of it is cropped away"
        add("odd aspect", ratio, "to 1", evidence, certainty(ratio, WIDEST, 5))
    elif away > 0.12:
        add("cropped away", 100 * away, "% of the area", f"{away:.0%} of it is cropped away to fit its bucket", certainty(away, 0.12, 0.25))
    if m.bars > 0.04:
        add("letterbox", 100 * m.bars, "% of the area", f"{m.bars:.0%} of the area is bars", certainty(m.bars, 0.04, 0.15))
    elif m.frame > 0.04 and m.margins < 0.55 and m.views == 1:
        add("framed", 100 * m.frame, "% of the area", f"{m.frame:.0%} of the area is an even frame", certainty(m.frame, 0.04, 0.15))
    elif m.margins > 0.55 and not blank:
        add(
            "empty margins",
            100 * m.margins,
            "% of the area",
            f"{m.margins:.0%} of the area is an even border",
            certainty(m.margins, 0.55, 0.8),
        )


def _words(pictures: Sequence[Picture]) -> list[Finding]:
    """Words that rapidocr reads on each picture."""
    from lorasmith.images.signs import view_of

    found = []
    for picture in pictures:
        if picture.measures.problem:
            continue
        import numpy as np

        words = lettering.words_on(view_of(np.asarray(read_picture(picture.path))))
        if words:
            said = ", ".join(repr(word) for word, _ in words[:5])
            found.append(
                Finding("text", (picture.path,), len(words), "words", f"reads {said}", round(max(sure for _, sure in words) * 0.95, 2))
            )
    return found


# Judging the set


def judge_set(pictures: Sequence[Picture], root: Path, kind: SetKind | None = None) -> list[Finding]:
    """What the pictures say together."""
    sound = [picture for picture in pictures if not picture.measures.problem]
    found, single = _judge_copies(sound)
    signatures = [picture.measures.signature for picture in single if picture.measures.signature is not None]
    assert len(signatures) == len(single)
    if cluster := set_signs.one_background(signatures):
        found.append(_of_cluster("same background", cluster, single))
    if cluster := set_signs.one_arrangement(signatures):
        found.append(_of_cluster("same pose", cluster, single))
    if strokes := lettering.repeated_strokes([p.measures.corners for p in single if p.measures.corners is not None]):
        paths = tuple(single[i].path for i in strokes.members)
        evidence = f"{len(paths)} of {len(single)} pictures have the same strokes at the {strokes.corner}, with a correlation of {strokes.agreement:.2f}"
        sure = round(min(0.95, 0.4 + 0.6 * strokes.agreement), 2)
        found.append(Finding("same lettering", paths, len(paths), "pictures", evidence, sure, f"corner: {strokes.corner}"))
    if source := set_signs.main_source([picture.path.relative_to(root) for picture in single]):
        paths = tuple(single[i].path for i in source.members)
        evidence = f"{len(paths)} of {len(single)} pictures ({source.share:.0%}) are named after {source.name!r}"
        found.append(Finding("one source", paths, round(100 * source.share, 1), "% of the pictures", evidence, 0.6))
    if kind and (sign := set_signs.size_sign(len(single), kind)):
        name, _, sure = sign
        least, most = set_signs.RANGES[kind][1:3]
        evidence = f"{len(single)} different pictures; {least} to {most} are usual for a {kind}"
        found.append(Finding(name, (), len(single), "pictures", evidence, sure))
    return found


def _judge_copies(sound: Sequence[Picture]) -> tuple[list[Finding], list[Picture]]:
    """Duplicates and mirrored pairs; and the pictures with one of each group."""
    found: list[Finding] = []
    by_content: dict[str, list[Picture]] = {}
    for picture in sound:
        by_content.setdefault(picture.measures.content, []).append(picture)
    different: list[Picture] = []
    for same in by_content.values():
        ordered = _best_first(same)
        different.append(ordered[0])
        if len(same) > 1:
            paths = tuple(picture.path for picture in ordered)
            found.append(Finding("exact duplicate", paths, len(paths), "files", f"{len(paths)} files with the same bytes", 1.0))
    groups = near_duplicate_groups([p.measures.signature for p in different if p.measures.signature is not None])
    dropped: set[Path] = set()
    for group in groups:
        members = [different[i] for i in group.indices]
        ordered = _best_first(members)
        dropped |= {picture.path for picture in ordered[1:]}
        kept = group.indices[members.index(ordered[0])]
        turned = [p.path for i, p in zip(group.indices, members, strict=True) if group.relation(kept, i) == "mirrored"]
        furthest = max(pair.difference for pair in group.pairs)
        evidence = f"{len(members)} pictures differ by at most {furthest:.2f} of what resampling and compression may do"
        detail = "mirrored: " + ", ".join(path.name for path in turned) if turned else ""
        paths = tuple(picture.path for picture in ordered)
        found.append(Finding("near duplicate", paths, len(paths), "pictures", evidence, certainty(furthest, 1.0, 0.3), detail))
        for path in turned:
            evidence = f"{path.name} is {ordered[0].path.name} the other way round"
            found.append(Finding("asymmetry", (ordered[0].path, path), 2, "pictures", evidence, 0.5))
    return found, [picture for picture in different if picture.path not in dropped]


def _best_first(copies: Sequence[Picture]) -> list[Picture]:
    """The copy to keep, then the others in their order."""
    kept = best_copy([_copy(picture) for picture in copies])
    return [copies[kept], *(one for place, one in enumerate(copies) if place != kept)]


def _copy(picture: Picture) -> Copy:
    m = picture.measures
    return Copy(m.size, 100.0 if m.quality is None else m.quality, m.file_bytes, picture.path.name)


def _of_cluster(kind: str, cluster: set_signs.Cluster, single: Sequence[Picture]) -> Finding:
    paths = tuple(single[i].path for i in cluster.members)
    what = "the same border of light and colour" if kind == "same background" else "light and dark in the same places"
    evidence = f"{cluster.share:.0%} of the pictures have {what}"
    sure = certainty(cluster.share, set_signs.ALIKE_SHARE, 0.8)
    return Finding(kind, paths, round(100 * cluster.share, 1), "% of the pictures", evidence, sure)


# The score


def score_of(pictures: Sequence[Picture], findings: Sequence[Finding]) -> tuple[int, tuple[tuple[str, float], ...]]:
    """0-100 and where the points went.

    A picture is worth 1 and loses a share for each finding, by severity and certainty; the mean worth makes the points. Findings about
    the set then cost points of their own.
    """
    if not pictures:
        return 0, ()
    worths = _worths(pictures, findings)
    points = 100 * sum(worths.values()) / len(pictures)
    blame: dict[str, float] = {}
    for finding in findings:
        if finding.kind not in OF_THE_SET:
            blame[finding.kind] = blame.get(finding.kind, 0.0) + _cost(finding) * len(_blamed(finding))
    lost, shares = 100 - points, sum(blame.values())
    why = {KINDS[kind].title: lost * share / shares for kind, share in blame.items() if shares}
    for finding in findings:
        if finding.kind in OF_THE_SET:
            cost = SET_POINTS[finding.severity] * finding.certainty
            why[finding.meaning.title] = why.get(finding.meaning.title, 0) + cost
            points -= cost
    ordered = sorted(why.items(), key=lambda one: -one[1])
    return max(0, round(points)), tuple((reason, round(cost, 1)) for reason, cost in ordered if cost >= 0.05)


def _worths(pictures: Sequence[Picture], findings: Sequence[Finding]) -> dict[Path, float]:
    worths = {picture.path: 1.0 for picture in pictures}
    for finding in findings:
        if finding.kind not in OF_THE_SET:
            for path in _blamed(finding):
                worths[path] *= 1 - _cost(finding)
    return worths


def _blamed(finding: Finding) -> tuple[Path, ...]:
    """The pictures that a finding speaks against: of copies, all but the one to keep."""
    return finding.paths[1:] if finding.kind in ("exact duplicate", "near duplicate", "asymmetry") else finding.paths


def _cost(finding: Finding) -> float:
    return WEIGHTS[finding.severity] * finding.certainty
