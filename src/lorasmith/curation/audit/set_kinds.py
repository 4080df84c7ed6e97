"""What pictures show together: copies of each other, and what a set has in common; a function and a row of the table for each kind.

A function gives pictures with the sign that they make, as often as it finds some; no pictures where it speaks of the set as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lorasmith.curation.audit import set_signs
from lorasmith.curation.audit.finding_kind import Kind, Sign, confidence
from lorasmith.curation.audit.set_signs import Cluster, LoraKind
from lorasmith.curation.measuring import Picture, copies_among
from lorasmith.findings import Finding, MendChange
from lorasmith.images import lettering
from lorasmith.images.copies import best_copy
from lorasmith.images.duplicates import Group, Signature
from lorasmith.images.measures import copy_of
from lorasmith.images.picture_cache import PictureCache
from lorasmith.pages.numbers import count


class Pile:
    """Pictures that are judged together; what several kinds ask of them is worked out once."""

    def __init__(self, pictures: Sequence[Picture], lora_kind: LoraKind | None, near_duplicates_of: CopiesAmong):
        self.sound = [picture for picture in pictures if not picture.measures.problem]
        self.lora_kind = lora_kind
        self.near_duplicates_of = near_duplicates_of

    @cached_property
    def same_bytes(self) -> list[list[Picture]]:
        """The pictures by their content, the copy to keep first."""
        by_content: dict[str, list[Picture]] = {}
        for picture in self.sound:
            by_content.setdefault(picture.measures.content, []).append(picture)
        return [best_first(same) for same in by_content.values()]

    @cached_property
    def near_duplicates(self) -> list[NearDuplicates]:
        different = [same[0] for same in self.same_bytes]
        return [NearDuplicates(different, group) for group in self.near_duplicates_of(different)]

    @cached_property
    def single(self) -> list[Picture]:
        """The pictures with one of each group of copies."""
        dropped = {picture.name for group in self.near_duplicates for picture in group.pictures[1:]}
        return [same[0] for same in self.same_bytes if same[0].name not in dropped]

    @cached_property
    def signatures(self) -> list[Signature]:
        return [_signature(picture) for picture in self.single]

    def of_cluster(self, cluster: Cluster, what: str) -> tuple[list[Picture], Sign]:
        """A group of pictures that are alike in one respect."""
        text = f"{cluster.share:.0%} of the pictures have {what}"
        sure = confidence(cluster.share, set_signs.ALIKE_SHARE, 0.8)
        return [self.single[i] for i in cluster.members], Sign(round(100 * cluster.share, 1), "% of the pictures", text, sure)


class NearDuplicates:
    """Pictures that are the same to the eye, the copy to keep first."""

    def __init__(self, pictures: Sequence[Picture], group: Group):
        members = {pictures[i].name: i for i in group.indices}
        self.pictures = best_first([pictures[i] for i in group.indices], [i in group.mirrored for i in group.indices])
        self.furthest = max(pair.difference for pair in group.pairs)
        keep = members[self.pictures[0].name]
        self.mirrored = [pictures[i] for i in group.indices if group.relation(keep, i) == "mirrored"]


def best_first(copies: Sequence[Picture], mirrored: Sequence[bool] = ()) -> list[Picture]:
    """The copy to keep, then the others in their order; `mirrored` says of each whether it is known to be the other way round."""
    if len(copies) == 1:
        return list(copies)
    flags = mirrored or [False] * len(copies)
    kept = best_copy([copy_of(picture.path, picture.measures, flag) for picture, flag in zip(copies, flags, strict=True)])
    return [copies[kept], *(one for index, one in enumerate(copies) if index != kept)]


def _signature(picture: Picture) -> Signature:
    assert picture.measures.signature is not None  # of every picture that could be read
    return picture.measures.signature


CopiesAmong = Callable[[Sequence[Picture]], list[Group]]
"""The near duplicates among pictures."""

Found = Iterator[tuple[Sequence[Picture], Sign]]


@dataclass(frozen=True, kw_only=True)
class SetKind(Kind):
    """A kind of finding about several pictures, or about the set."""

    signs: Callable[[Pile], Found]


def judge_set(
    pictures: Sequence[Picture], lora_kind: LoraKind | None = None, near_duplicates: CopiesAmong | None = None, off: Collection[str] = ()
) -> Iterator[Finding]:
    """What the pictures show together; `lora_kind` asks whether there are enough for it, `near_duplicates` knows what was compared before.
    `off` are codes that are not looked for."""
    pile = Pile(pictures, lora_kind, near_duplicates or (lambda pictures: copies_among(pictures, PictureCache(None), Path())))
    for rule, kind in SET_KINDS.items():
        for concerned, sign in kind.signs(pile) if f"audit.{rule}" not in off else ():
            yield kind.finding(rule, tuple(picture.name for picture in concerned), sign)


# Copies


def exact_duplicate(pile: Pile) -> Found:
    for same in pile.same_bytes:
        if len(same) > 1:
            yield same, Sign(len(same), "files", f"{count(len(same), 'file')} with the same bytes", 1.0)


def near_duplicate(pile: Pile) -> Found:
    for group in pile.near_duplicates:
        text = f"{count(len(group.pictures), 'picture')} differ by at most {group.furthest:.2f} of what resampling and compression may do"
        mirrored = ("mirrored: " + ", ".join(picture.path.name for picture in group.mirrored),) if group.mirrored else ()
        yield group.pictures, Sign(len(group.pictures), "pictures", text, confidence(group.furthest, 1.0, 0.3), mirrored)


def asymmetry(pile: Pile) -> Found:
    for group in pile.near_duplicates:
        for picture in group.mirrored:
            keep = group.pictures[0]
            yield [keep, picture], Sign(2, "pictures", f"{picture.path.name} is {keep.path.name} the other way round", 0.5)


# What the set has in common


def same_background(pile: Pile) -> Found:
    if cluster := set_signs.one_background(pile.signatures):
        yield pile.of_cluster(cluster, "the same border of light and colour")


def same_pose(pile: Pile) -> Found:
    if cluster := set_signs.one_arrangement(pile.signatures):
        yield pile.of_cluster(cluster, "light and dark in the same places")


def same_lettering(pile: Pile) -> Found:
    corners = [picture.measures.corners for picture in pile.single if picture.measures.corners is not None]
    if strokes := lettering.repeated_strokes(corners):
        text = (
            f"{len(strokes.members):,} of {count(len(pile.single), 'picture')} have the same strokes at the {strokes.corner}, with a correlation of "
            f"{strokes.agreement:.2f}"
        )
        sure = round(min(0.95, 0.4 + 0.6 * strokes.agreement), 2)
        yield [pile.single[i] for i in strokes.members], Sign(len(strokes.members), "pictures", text, sure, (f"corner: {strokes.corner}",))


def one_source(pile: Pile) -> Found:
    if source := set_signs.main_source([picture.name for picture in pile.single]):
        text = f"{len(source.members)} of {count(len(pile.single), 'picture')} ({source.share:.0%}) are named after {source.name!r}"
        yield [pile.single[i] for i in source.members], Sign(round(100 * source.share, 1), "% of the pictures", text, 0.6)


def set_too_small(pile: Pile) -> Found:
    yield from _size(pile, set_signs.too_few)


def set_too_large(pile: Pile) -> Found:
    yield from _size(pile, set_signs.too_many)


def _size(pile: Pile, confidence_for: Callable[[int, LoraKind], float | None]) -> Found:
    kind, size = pile.lora_kind, len(pile.single)
    if kind is not None and (sure := confidence_for(size, kind)) is not None:
        least, most = set_signs.RANGES[kind][1:3]
        yield [], Sign(size, "pictures", f"{count(size, 'different picture')}; {least} to {most} are usual for a {kind}", sure)


COPIES = ("audit.exact_duplicate", "audit.near_duplicate")
"""Codes of the findings that name copies of one picture, the one to keep first."""

DUPLICATES = (MendChange("duplicates"),)

SET_KINDS: dict[str, SetKind] = {
    "exact_duplicate": SetKind(
        signs=exact_duplicate, title="the same file again", severity="warning", message="The same file is there more than once.",
        why="It counts twice, and is learnt by heart first.", fix="Keep one.", changes=DUPLICATES, of_copies=True,
    ),
    "near_duplicate": SetKind(
        signs=near_duplicate, title="the same picture again", severity="warning", message="The same picture is there more than once.",
        why="It counts twice, and is learnt by heart first.", fix="Keep the best copy.", changes=DUPLICATES, of_copies=True,
    ),
    "asymmetry": SetKind(
        signs=asymmetry, title="a picture and its mirror image", severity="note", message="A picture is there with its mirror image.",
        why="If the subject has a mark on one side, the LoRA cannot learn on which.",
        fix="If sides matter here, keep the one that is right, and train without flipping.", of_copies=True,
    ),
    "same_background": SetKind(
        signs=same_background, title="one background in many pictures", severity="warning", message="Many pictures have one background.",
        why="It becomes part of the subject: the LoRA will draw it unasked.",
        fix="Add pictures with other backgrounds; else name the background in each caption.", about="set",
    ),
    "same_pose": SetKind(
        signs=same_pose, title="one arrangement in many pictures", severity="note", message="Many pictures have one arrangement.",
        why="The LoRA will repeat it whatever the prompt says.",
        fix="Add other poses, angles and distances; else name this one in the captions.", about="set",
    ),
    "same_lettering": SetKind(
        signs=same_lettering, title="the same strokes in the same corner", severity="warning",
        message="Many pictures have the same strokes in the same corner.",
        why="A watermark or signature that most pictures share is the first thing that a LoRA learns.",
        fix="Crop the corner away, or paint over it.", about="set",
    ),
    "one_source": SetKind(
        signs=one_source, title="most pictures from one source", severity="note", message="Most pictures are from one source.",
        why="Its look - light, lens, brush - becomes part of the LoRA.", fix="Mix in other sources, or tag the artist or medium.", about="set",
    ),
    "set_too_small": SetKind(
        signs=set_too_small, title="few pictures", severity="warning", message="There are few pictures for such a LoRA.",
        why="The LoRA will know these pictures rather than their subject.", fix="Add more, as varied as they can be.", about="set",
    ),
    "set_too_large": SetKind(
        signs=set_too_large, title="more pictures than it needs", severity="note", message="There are more pictures than such a LoRA needs.",
        why="Training takes longer and weak pictures get in; a few dozen good ones do better.", fix="Keep the best and most varied.",
        about="set",
    ),
}  # fmt: skip
"""Rule -> kind: the row and its function are all that a finding needs."""
