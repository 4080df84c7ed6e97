"""Which training images come back by heart, from the nearness of each caption's picture to its own image."""

from __future__ import annotations

import json
import tarfile

import pytest

from lorasmith.evaluation.copies import Copy, Originals, copies_in_words, copies_of
from lorasmith.evaluation.measures.measured import CheckpointMeasures, Measure
from lorasmith.evaluation.prompts import Prompt, PromptSet
from lorasmith.evaluation.proof.plan_making import plan_for_settings
from lorasmith.evaluation.proof.record import ProofRecord, read_record, write_record
from lorasmith.evaluation.verdict.checkpoint import CheckpointVerdict
from lorasmith.evaluation.verdict.picking import Score
from lorasmith.images.read import content_hash

TRAINED = [Prompt("trained", f"trained {k}", k, f"{k:02}.png 0a1b2c3d") for k in range(6)]
HELD_OUT = [Prompt("held_out", f"held out {k}", 10 + k, f"new {k}.png 4e5f") for k in range(4)]


def copies(trained: list[float], held_out: list[float], gap: float = 1.0):
    near = dict(zip((p.name for p in TRAINED), trained, strict=False))
    others = dict(zip((p.name for p in HELD_OUT), held_out, strict=False))
    measure = Measure.difference(near, others) if others else Measure.of(near)
    measures = {"replay": measure, "gap_shape": Measure(gap, 0.1, {})} if others else {"replay": measure}
    checkpoint = CheckpointVerdict.of("epoch 1", CheckpointMeasures("a", 1, 1, 1.0, measures), Score(0.5, 0.1), measures)
    return copies_of(checkpoint, PromptSet((*TRAINED, *HELD_OUT), "zorvex", "tags"))


def test_the_images_that_come_back_are_counted_and_named_the_nearest_first():
    found = copies([0.1, 2.0, 0.2, 1.5, 0.0, 0.1], [0.1, 0.3, 0.0, 0.2])

    assert copies_in_words(found) == "It holds 2 of the 6 training images that were tried by heart: 01.png, 03.png."
    assert [round(copy.nearer, 6) for copy in found[:2]] == [1.85, 1.35]  # less 0.15, the mean of held-out captions


def test_one_that_is_no_nearer_than_a_held_out_caption_is_to_its_own_image_is_not_by_heart():
    found = copies([0.9, 0.2, 0.2, 0.2, 0.2, 0.2], [1.0, 0.0, 0.0, 0.0])

    assert copies_in_words(found) == "None of the 6 training images that were tried came back."


def test_nothing_is_by_heart_where_training_images_gained_no_more_than_held_out_ones():
    found = copies([0.1, 2.0, 0.2, 1.5, 0.0, 0.1], [0.1, 0.3, 0.0, 0.2], gap=0.1)

    assert not any(copy.by_heart for copy in found)


def test_without_a_hold_out_each_is_compared_by_itself():
    """Against the base, which knows no subject, also good LoRAs gain much: it takes more than that."""
    found = copies([0.9, 0.7, 0.3, 0.1, 0.1, 0.1], [])

    assert [copy.image for copy in found if copy.by_heart] == ["00.png"]


def as_manifest(creatures, folder):
    lines = [json.dumps({"file_name": str(creatures / f"{n}.png"), "text": f"zorvex, pose {n}"}) for n in range(4)]
    (folder / "set.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder / "set.jsonl"


def as_shard(creatures, folder):
    with tarfile.open(folder / "set.tar", "w") as tar:
        for n in range(4):
            for suffix in ("png", "txt"):
                tar.add(creatures / f"{n}.{suffix}", f"{n}.{suffix}")
    return folder / "set.tar"


@pytest.mark.parametrize("arranged", [as_manifest, as_shard])
def test_the_image_of_a_copy_is_found_in_a_manifest_or_a_shard_as_long_as_it_is_the_same(arranged, creatures, settings_for, tmp_path):
    source = arranged(creatures, tmp_path)
    settings = settings_for(datasets=[{"path": str(source)}])
    plan = plan_for_settings(settings, "quick")
    write_record(tmp_path, ProofRecord("quick", plan.prompts, 4, 0, {}, (), (), plan.originals))
    read = read_record(tmp_path)
    found = [Copy(prompt, 1.0, True) for prompt in read.prompts.of("trained")]
    originals = Originals(settings, read.originals)

    assert sorted(copy.image for copy in found) == [f"{n}.png" for n in range(4)]
    assert [content_hash(originals.of(copy.prompt)) for copy in found] == [content_hash(creatures / copy.image) for copy in found]
    other = Copy(Prompt("trained", "of another set", 1, "0.png 00000000"), 1.0, True)
    assert originals.of(other.prompt) is None
    if source.suffix == ".tar":
        source.write_bytes(bytes(source.stat().st_size))
        assert [originals.of(copy.prompt) for copy in found] == [None] * 4
