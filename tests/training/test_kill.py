"""A run that is killed at any moment and resumed ends in the bytes of a run that was never interrupted."""

import functools
import itertools
import os
import random
import time

import pytest

from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene, tag_caption
from lorasmith.training.settings.toml import settings_toml
from tests.training.torture import Forge, kill_and_resume, made, undisturbed

SEED = 20260
EVERY_STEP = {"checkpoints": {"save_state_every_seconds": 0.001}}
CASES = {
    "AdamW, with samples": {**EVERY_STEP, "samples": {"prompts": ["zorvex"], "steps": 1}},
    "accumulation, average": {"training": {"epochs": 3, "batch_size": 1, "gradient_accumulation_steps": 2, "ema_decay": 0.9}, **EVERY_STEP},
    "Prodigy": {"optimizer": {"type": "Prodigy", "learning_rate": 1.0}},
    "averaged weights": {"optimizer": {"type": "AdamWScheduleFree"}, "schedule": {"lr_scheduler": "constant"}, **EVERY_STEP},
}
KILLS = {"AdamW, with samples": 4, "accumulation, average": 3, "Prodigy": 2, "averaged weights": 2}
"""Kills of each case; `make torture` is for thousands."""


@pytest.fixture(scope="module")
def forge():
    started = Forge()
    yield started
    started.close()


@pytest.fixture
def settings_file(settings_for, tmp_path):
    def write(sections):
        path = tmp_path / "settings.toml"
        path.write_text(settings_toml(settings_for(**sections)), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def undisturbed_case(forge, settings_with_cache, tmp_path_factory):
    """Of a case: the settings file, the folder of a run that nothing disturbed, and what that made."""

    @functools.cache
    def run(case):
        folder = tmp_path_factory.mktemp("case")
        settings = folder / "settings.toml"
        settings.write_text(settings_toml(settings_with_cache(folder / "cache", **CASES[case])), encoding="utf-8")
        return settings, folder / "alone", undisturbed(forge, settings, folder / "alone")

    return run


def kill_at_random_moments(forge, settings, folder, alone, rng, kills):
    """As often as asked, in as many runs as that takes: one that ends before its time has come is not killed."""
    for life in itertools.count():
        if kills <= 0:
            return
        kills -= len(kill_and_resume(forge, settings, folder / f"killed-{life}", alone, rng, kills))


@pytest.mark.parametrize("case", CASES)
def test_a_run_killed_at_random_moments_ends_in_the_same_bytes(case, forge, undisturbed_case, tmp_path):
    settings, _, alone = undisturbed_case(case)
    kill_at_random_moments(forge, settings, tmp_path, alone, random.Random(f"{SEED} {case}"), KILLS[case])


def test_two_processes_killed_at_a_random_moment_end_in_the_same_bytes_and_leave_nobody_behind(forge, settings_file, tmp_path):
    settings = settings_file({"training": {"epochs": 2, "batch_size": 1, "num_processes": 2}, **EVERY_STEP})
    alone = undisturbed(forge, settings, tmp_path / "alone")
    kill_at_random_moments(forge, settings, tmp_path, alone, random.Random(SEED), kills=1)


def test_killed_in_a_row_right_after_resuming(forge, undisturbed_case, tmp_path):
    settings, _, alone = undisturbed_case("accumulation, average")
    for share in (0.5, 0.05, 0.3):
        assert forge.run(tmp_path / "killed", settings, operation=max(1, int(share * alone.operations))).killed
    assert forge.run(tmp_path / "killed", settings).code == 0
    assert made(tmp_path / "killed") == alone.made


def test_a_finished_run_is_left_as_it_is_however_often_it_is_resumed(forge, undisturbed_case):
    settings, folder, alone = undisturbed_case("AdamW, with samples")
    for _ in range(2):
        assert forge.run(folder, settings).code == 0
        assert made(folder) == alone.made


OPTIMIZERS = {
    "AdamW": {},
    "Prodigy": {"optimizer": {"type": "Prodigy", "learning_rate": 1.0}},
    "AdamWScheduleFree": {"optimizer": {"type": "AdamWScheduleFree"}, "schedule": {"lr_scheduler": "constant"}},
    "Adafactor": {"optimizer": {"type": "Adafactor"}},
    "Lion": {"optimizer": {"type": "Lion", "learning_rate": 1e-4}},
    "CAME": {"optimizer": {"type": "CAME"}},
    "Muon": {"optimizer": {"type": "Muon"}},
}
WAYS = {
    "texts and U-Net, with samples": {"training": {"epochs": 2, "batch_size": 2}, "samples": {"prompts": ["zorvex"], "steps": 2}},
    "U-Net alone, with validation": {"network": {"rank": 2, "train_text_encoder": False}, "validation": {}},
    "cached caption variants": {
        "network": {"rank": 2, "train_text_encoder": False},
        "captions": {"trigger": "zorvex", "shuffle_caption": True, "keep_tokens": 1, "cached_variants": 3},
    },
    "bf16, rounded at random": {"training": {"epochs": 2, "batch_size": 2, "mixed_precision": "bf16", "weight_dtype": "bf16"}},
    "average": {"training": {"epochs": 2, "batch_size": 2, "ema_decay": 0.9}},
    "accumulation": {"training": {"epochs": 3, "batch_size": 1, "gradient_accumulation_steps": 2}},
    "dropout": {"network": {"rank": 4, "dropout": 0.1, "rank_dropout": 0.2, "module_dropout": 0.2}},
    "two processes": {"training": {"epochs": 3, "batch_size": 1, "num_processes": 2}},
}


LEFT_OUT = {("AdamWScheduleFree", "average"), *((name, "two processes") for name in ("Adafactor", "Lion", "CAME", "Muon"))}
"""An average of an average is refused; each start of a second process takes seconds, so three optimizers have to do there."""


@pytest.fixture
def held_out(tmp_path):
    """Three pictures that no run trains on."""
    folder = tmp_path / "held-out"
    folder.mkdir()
    for i in range(3):
        scene = random_scene(900 + i)
        draw_scene(scene).save(folder / f"{i}.png")
        (folder / f"{i}.txt").write_text("zorvex, " + tag_caption(scene, random.Random(i)), encoding="utf-8")
    return folder


@pytest.mark.slow
def test_torture(forge, settings_file, held_out, tmp_path, capsys):
    """All optimizers in all ways, in a random order, until the time is over; `make torture MINUTES=60` is this test."""
    until = time.monotonic() + 60 * float(os.environ.get("LORASMITH_TORTURE_MINUTES") or 2)
    seed = os.environ.get("LORASMITH_TORTURE_SEED") or str(random.randrange(10**6))
    rng = random.Random(seed)
    matrix = [pair for pair in itertools.product(OPTIMIZERS, WAYS) if pair not in LEFT_OUT]
    with capsys.disabled():
        print(f"\nseed {seed}\n{'optimizer':20}{'way':34}{'kills':>6}  by time, by file operation")
        total = 0
        while time.monotonic() < until:
            for number, (optimizer, way) in enumerate(rng.sample(matrix, len(matrix))):
                if time.monotonic() >= until:
                    break
                root = tmp_path / f"{total}-{number}"
                sections = {**OPTIMIZERS[optimizer], **WAYS[way], **EVERY_STEP, "cache": str(root / "cache")}
                if "validation" in sections:
                    sections["validation"] = {"path": str(held_out)}
                root.mkdir()
                settings = settings_file(sections)
                alone = undisturbed(forge, settings, root / "alone")
                killed_at = [kill_and_resume(forge, settings, root / f"killed-{n}", alone, rng, kills=3) for n in range(3)]
                kills = list(itertools.chain(*killed_at))
                by_time = sum("seconds" in kill for kill in kills)
                print(f"{optimizer:20}{way:34}{len(kills):>6}  {by_time}, {len(kills) - by_time}", flush=True)
                total += len(kills)
        print(f"{total} kills, every run ended in the bytes of one that was left alone")
    assert total
