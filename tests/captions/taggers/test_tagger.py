"""Taggers: made ONNX networks that read single pixels of their input, so that every number they give is known beforehand.

The picture is 64 x 32 pixels, its left half of one colour and its right half of another; the network's input has 16 x 16 pixels.
A tag per probe: the pixel well inside the left half, inside the right half, in the top row (padding, or not), and one pixel beside
the edge, which only the right way of resizing gives; each in the channels 0 and 2, which only the right order of colours gives.
"""

from __future__ import annotations

import csv
import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from lorasmith.captions.taggers.probabilities import FLOOR, ProbabilityStore, stored_tags
from lorasmith.captions.taggers.tagger import Tagger, WdTagger, open_tagger, prepare
from lorasmith.captions.taggers.tagger_descriptor import DESCRIPTORS, TaggerDescriptor, descriptor_by_name
from lorasmith.captions.taggers.tagging import tag_pictures
from lorasmith.errors import InputError

SIDE = 16
LEFT, RIGHT = (200, 120, 40), (30, 90, 220)  # red, green, blue
PROBES = {"left": (8, 3), "right": (8, 12), "top": (0, 3), "edge": (8, 7)}  # row, column
TAGS = [f"{place}_channel_{channel}" for place in PROBES for channel in (0, 2)]
CATEGORIES = [0, 0, 0, 0, 4, 4, 9, 9]
NAMES_OF = {0: "general", 4: "character", 9: "rating"}

OWN = """
name = "mine"
tag_files = ["tags.csv"]
fit = "shrink and pad"
padding = [0, 128, 255]
resample = "bilinear"
channels = "rgb"
white = 1.0
mean = [0.1, 0.2, 0.3]
std = [0.5, 0.4, 0.3]
layout = "nchw"
side = 16
output = "scores"
activation = "sigmoid"
"""


def two_colours() -> Image.Image:
    picture = Image.new("RGB", (64, 32), LEFT)
    picture.paste(RIGHT, (32, 0, 64, 32))
    return picture


def network(path, layout: str, *, white: float, outputs: dict[str, float], batch: int | str = "batch", side: int | str = SIDE) -> None:
    """Write a network whose output gives each probe's number divided by `white`; `outputs` are names and factors."""
    shape = (SIDE, SIDE, 3) if layout == "nhwc" else (3, SIDE, SIDE)
    weights = np.zeros((math.prod(shape), len(TAGS)), np.float32)
    for k, tag in enumerate(TAGS):
        row, column = PROBES[tag.split("_")[0]]
        channel = int(tag[-1])
        place = (row, column, channel) if layout == "nhwc" else (channel, row, column)
        weights[np.ravel_multi_index(place, shape), k] = 1 / white
    open_shape = (side, side, 3) if layout == "nhwc" else (3, side, side)
    nodes = [helper.make_node("Flatten", ["pixels"], ["flat"])]
    tables = [numpy_helper.from_array(weights, "weights")]
    for name, factor in outputs.items():
        tables.append(numpy_helper.from_array(np.array(factor, np.float32), f"factor {name}"))
        nodes += [
            helper.make_node("MatMul", ["flat", "weights"], [f"raw {name}"]),
            helper.make_node("Mul", [f"raw {name}", f"factor {name}"], [name]),
        ]
    graph = helper.make_graph(
        nodes, "probes", [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, (batch, *open_shape))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, (batch, len(TAGS))) for name in outputs], tables,
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def wd_table(path, names=TAGS, extra: str = "") -> None:
    columns = ["tag_id", "name", "category", "count"] + ([extra] if extra else [])
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        for k, name in enumerate(names):
            rows.writerow([k, name, CATEGORIES[k % 8], 100] + (["[]"] if extra else []))


def make_tagger(folder, family: str, **options) -> None:
    """A folder as the family's repository has it: its file names, its table, its layout, its outputs."""
    if family == "wd":
        network(folder / "model.onnx", "nhwc", white=255, outputs={"predictions_sigmoid": 1}, **options)
        wd_table(folder / "selected_tags.csv")
    elif family == "cl":
        network(folder / "model_optimized.onnx", "nchw", white=1, outputs={"output": 1}, **options)
        words = {0: "General", 4: "Character", 9: "Rating"}
        table = {str(k): {"tag": tag, "category": words[CATEGORIES[k]]} for k, tag in enumerate(TAGS)}
        (folder / "tag_mapping.json").write_text(json.dumps(table))
    elif family == "pixai":  # its network's probabilities come from logits inside; here from -1..1 to 0..1 would need a bias, so halves
        network(folder / "model.onnx", "nchw", white=1, outputs={"embedding": 99, "logits": 7, "prediction": 0.25}, **options)
        wd_table(folder / "selected_tags.csv", extra="ips")
    elif family == "camie":
        network(folder / "camie-tagger-v2.onnx", "nchw", white=1, outputs={"initial_predictions": 3, "refined_predictions": 1}, **options)
        table = {
            "idx_to_tag": {str(k): tag for k, tag in enumerate(TAGS)},
            "tag_to_category": {tag: NAMES_OF[CATEGORIES[k]] for k, tag in enumerate(TAGS)},
        }
        (folder / "camie-tagger-v2-metadata.json").write_text(
            json.dumps({"model_info": {"img_size": 16}, "dataset_info": {"tag_mapping": table}})
        )
    else:
        network(folder / "model.onnx", "nchw", white=1, outputs={"other": 5, "scores": 1}, side="side", **options)
        wd_table(folder / "tags.csv")
        (folder / "tagger.toml").write_text(OWN)


# -- what should come out, worked out without the code under test ------------------------------------------------------

KERNELS = {
    "bilinear": (1, lambda x: 1 - x),
    "bicubic": (2, lambda x: 1.5 * x**3 - 2.5 * x**2 + 1 if x < 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2),
    "lanczos": (3, lambda x: 1.0 if x == 0 else 3 * math.sin(math.pi * x) * math.sin(math.pi * x / 3) / (math.pi * x) ** 2),
}


def share_of_left(kernel: str) -> float:
    """How much of the left half is in column 7 of 16, when 64 columns are shrunk: its middle lies at 30, the edge at 32."""
    reach, weight = KERNELS[kernel]
    weights = {i: weight(abs((i + 0.5 - 30) / 4)) for i in range(64) if abs((i + 0.5 - 30) / 4) < reach}
    return sum(w for i, w in weights.items() if i < 32) / sum(weights.values())


def expected(kernel: str, order: str, top: tuple[int, int, int], white: float, mean, std, logits: bool) -> list[float]:
    share = share_of_left(kernel)
    edge = tuple(min(255, max(0, share * a + (1 - share) * b)) for a, b in zip(LEFT, RIGHT, strict=True))
    found = []
    for colour in (LEFT, RIGHT, top, edge):
        seen = colour if order == "rgb" else colour[::-1]
        for channel in (0, 2):
            value = (seen[channel] / 255 * white - mean[channel]) / std[channel]
            found.append(1 / (1 + math.exp(-value)) if logits else value / white)
    return found


NOTHING, HALF = ((0, 0, 0), (1, 1, 1)), ((0.5,) * 3, (0.5,) * 3)
KNOWN = {
    "wd": expected("bicubic", "bgr", (255, 255, 255), 255, *NOTHING, logits=False),
    "cl": expected("bicubic", "bgr", (255, 255, 255), 1, *HALF, logits=True),
    "camie": expected("lanczos", "rgb", (124, 116, 104), 1, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), logits=True),
    "own": expected("bilinear", "rgb", (0, 128, 255), 1, (0.1, 0.2, 0.3), (0.5, 0.4, 0.3), logits=True),
    "pixai": [max(0, value * 0.25) for value in expected("bilinear", "rgb", LEFT, 1, *HALF, logits=False)],
}


@pytest.fixture(scope="session")
def taggers(tmp_path_factory):
    root = tmp_path_factory.mktemp("taggers")
    for family in KNOWN:
        make_tagger(root / family, family)
    return root


@pytest.mark.parametrize("family", [family for family in KNOWN if family != "pixai"])
def test_every_family_sees_the_picture_as_its_descriptor_says(taggers, family):
    tagger = open_tagger(taggers / family)
    assert tagger.descriptor.name == {"own": "mine"}.get(family, family)
    assert tagger.probabilities([two_colours()])[0] == pytest.approx(
        KNOWN[family], abs=0.011
    )  # a pixel is rounded to 1/255, then divided by std
    assert tagger.names == tuple(TAGS)
    assert tagger.tags[0] == "left channel 0"
    assert tagger.categories == tuple(NAMES_OF[c] for c in CATEGORIES)


def test_pixai_is_stretched_in_rgb_and_read_from_its_prediction(taggers, tmp_path):
    tagger = open_tagger(taggers / "pixai")
    assert tagger.descriptor is DESCRIPTORS["pixai"]
    pixels = prepare(two_colours(), SIDE, tagger.descriptor)
    at = [pixels[row, column, channel] for row, column in PROBES.values() for channel in (0, 2)]
    wanted = expected("bilinear", "rgb", LEFT, 1, *HALF, logits=False)
    assert at == pytest.approx(wanted, abs=0.009)
    bright = Image.new("RGB", (64, 32), (255, 200, 128))  # its made network can only show what is lighter than grey
    assert tagger.probabilities([bright])[0][:2] == pytest.approx([0.25, 0.25 * (128 / 127.5 - 1)], abs=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        {"channels": "rgb"}, {"padding": (0, 0, 0)}, {"resample": "bilinear"}, {"fit": "stretch"}, {"white": 1.0},
        {"mean": (10.0, 10.0, 10.0)}, {"std": (2.0, 2.0, 2.0)},
    ],
)  # fmt: skip
def test_the_known_answer_notices_every_field_of_a_descriptor(taggers, change):
    wrong = DESCRIPTORS["wd"].model_copy(update=change)
    found = Tagger(taggers / "wd", wrong).probabilities([two_colours()])[0] if "mean" not in change else None
    if found is None:
        with pytest.raises(InputError, match="not probabilities"):  # black less ten is below nothing
            Tagger(taggers / "wd", wrong).probabilities([Image.new("RGB", (16, 16))])
    else:
        assert np.abs(found - KNOWN["wd"]).max() > 0.02


@pytest.mark.parametrize("batch", [1, 2])
def test_a_network_with_a_fixed_batch_gets_full_batches(tmp_path, taggers, batch):
    make_tagger(tmp_path / "fixed", "wd", batch=batch)
    pictures = [two_colours(), Image.new("RGB", (20, 20), "red"), Image.new("RGB", (7, 30), "blue")]
    free, fixed = WdTagger(taggers / "wd"), WdTagger(tmp_path / "fixed")
    np.testing.assert_allclose(fixed.probabilities(pictures), free.probabilities(pictures), atol=1e-6)
    assert fixed.probabilities([]).shape == (0, len(TAGS))


def test_the_layout_and_the_side_are_read_from_the_model(tmp_path):
    network(tmp_path / "model.onnx", "nchw", white=255, outputs={"out": 1})
    wd_table(tmp_path / "selected_tags.csv")
    tagger = WdTagger(tmp_path)
    assert tagger.side == SIDE
    assert tagger.probabilities([two_colours()])[0] == pytest.approx(KNOWN["wd"], abs=0.005)


def test_tags_with_odd_letters_come_through_the_table(tmp_path):
    network(tmp_path / "model.onnx", "nhwc", white=255, outputs={"out": 1})
    wd_table(tmp_path / "selected_tags.csv", ["^_^", "long_hair", 'say_"hi"', "\\m/", "a,b", "été", "(o)_(o)", "saber_(fate)"])
    assert WdTagger(tmp_path).tags == ("^_^", "long hair", 'say "hi"', "\\m/", "a,b", "été", "(o)_(o)", "saber (fate)")


# -- what can be wrong ------------------------------------------------------------------------------------------------


def test_what_is_wrong_with_a_tagger_is_said_in_one_sentence(tmp_path, taggers):
    with pytest.raises(InputError, match=r"has no model\.onnx"):
        WdTagger(tmp_path)
    make_tagger(tmp_path / "short", "wd")
    wd_table(tmp_path / "short" / "selected_tags.csv", TAGS[:5])
    with pytest.raises(InputError, match="download both files"):
        WdTagger(tmp_path / "short").probabilities([two_colours()])
    (tmp_path / "short" / "model.onnx").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="download it again"):
        WdTagger(tmp_path / "short")
    with pytest.raises(InputError, match="sigmoid"):
        Tagger(taggers / "cl", DESCRIPTORS["cl"].model_copy(update={"activation": "none"})).probabilities([two_colours()])
    with pytest.raises(InputError, match="refined"):
        Tagger(taggers / "cl", DESCRIPTORS["cl"].model_copy(update={"output": "refined"}))
    with pytest.raises(InputError, match="neither a folder"):
        open_tagger("no such folder")
    (tmp_path / "own.toml").write_text('chanels = "rgb"')
    with pytest.raises(InputError, match="chanels"):
        descriptor_by_name(str(tmp_path / "own.toml"))
    with pytest.raises(InputError, match="wd, cl, pixai, camie"):
        descriptor_by_name("deep")
    assert descriptor_by_name("camie") is DESCRIPTORS["camie"]


def test_a_hub_repository_is_taken_from_the_cache_and_its_absence_is_explained(tmp_path, monkeypatch):
    program = (
        "import sys\nfrom lorasmith.captions.taggers.tagger import open_tagger\nfrom lorasmith.errors import InputError\n"
        "try:\n    print(len(open_tagger(sys.argv[1]).names))\nexcept InputError as error:\n    print(error)"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}

    def try_it(source):
        return subprocess.run([sys.executable, "-c", program, source], env=environment, capture_output=True, text=True, check=True).stdout

    assert "hub cannot be reached" in try_it("some/wd-tagger-v3")
    snapshot = tmp_path / "hub" / "hub" / "models--some--wd-tagger-v3" / "snapshots" / ("a" * 40)
    make_tagger(snapshot, "wd")
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("a" * 40)
    assert try_it("some/wd-tagger-v3").strip() == str(len(TAGS))


# -- stored probabilities ---------------------------------------------------------------------------------------------


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for k in range(5):
        Image.new("RGB", (20, 20), (50 * k, 10, 255 - 50 * k)).save(folder / f"{k}.png")
    (folder / "bad.png").write_bytes(b"no picture")
    return folder


def test_probabilities_are_kept_by_content_and_tagger_and_one_bad_picture_is_reported(taggers, dataset):
    tagger, paths, heard = WdTagger(taggers / "wd"), sorted(dataset.glob("*.png")), []
    with ProbabilityStore(dataset) as store:
        first = tag_pictures(store, tagger, paths, batch_size=2, progress=lambda *step: heard.append(step))
        assert (first.tagged, first.known, first.stopped) == (5, 0, False)
        assert list(first.failures) == [dataset / "bad.png"]
        assert heard == [(2, 6), (4, 6), (6, 6)]
        second = tag_pictures(store, tagger, paths)
        assert (second.tagged, second.known) == (0, 5)
        assert tag_pictures(store, Tagger(taggers / "cl", DESCRIPTORS["cl"]), paths).tagged == 5  # another tagger
        Image.new("RGB", (20, 20), "white").save(dataset / "0.png")
        assert tag_pictures(store, tagger, paths).tagged == 1  # another picture under the old name
        direct = tagger.probabilities([Image.open(dataset / "3.png")])[0]
        stored = dict(store.tags(tagger.identity, [first.contents[dataset / "3.png"]]))[first.contents[dataset / "3.png"]]
    assert {one.name: one.probability for one in stored} == pytest.approx(
        {name: value for name, value in zip(tagger.names, direct, strict=True) if value > FLOOR}, abs=1e-5
    )
    assert {one.name: one.category for one in stored}["top_channel_0"] == "character"
    assert [one.probability for one in stored] == sorted((one.probability for one in stored), reverse=True)


def test_the_identity_is_that_of_the_network_the_table_and_the_preprocessing(taggers, tmp_path):
    known = WdTagger(taggers / "wd").identity
    assert WdTagger(taggers / "wd").identity == known
    assert Tagger(taggers / "wd", TaggerDescriptor(name="wd", channels="rgb")).identity != known
    assert Tagger(taggers / "wd", TaggerDescriptor(name="wd", general_threshold=0.2)).identity == known
    make_tagger(tmp_path / "other", "wd", batch=1)
    assert WdTagger(tmp_path / "other").identity != known


def test_a_job_can_be_cancelled_and_continues_where_it_was(taggers, dataset):
    tagger, paths, asked = WdTagger(taggers / "wd"), sorted(dataset.glob("?.png")), iter([False, True])
    with ProbabilityStore(dataset) as store:
        part = tag_pictures(store, tagger, paths, batch_size=2, cancelled=lambda: next(asked))
        assert (part.tagged, part.stopped) == (2, True)
        rest = tag_pictures(store, tagger, paths, batch_size=2)
        assert (rest.tagged, rest.known, rest.stopped) == (3, 2, False)


def _slow_job(folder, dataset):
    with ProbabilityStore(dataset) as store:
        tag_pictures(store, WdTagger(folder), sorted(dataset.glob("?.png")), batch_size=1, progress=lambda *_: time.sleep(0.2))


def test_a_killed_job_continues_where_it_was(taggers, dataset):
    job = multiprocessing.get_context("spawn").Process(target=_slow_job, args=(taggers / "wd", dataset))
    job.start()
    tagger, paths = WdTagger(taggers / "wd"), sorted(dataset.glob("?.png"))
    with ProbabilityStore(dataset) as store:
        while not store.contents(tagger.identity) and job.is_alive():
            time.sleep(0.02)
        os.kill(job.pid, signal.SIGKILL)
        job.join()
        rest = tag_pictures(store, tagger, paths)
    assert rest.known >= 1
    assert rest.known + rest.tagged == 5


def test_stored_tags_are_found_by_name(taggers, dataset):
    assert stored_tags(dataset, {"3": dataset / "3.png"}) == {}
    assert not (dataset / ".lorasmith").exists()
    with ProbabilityStore(dataset) as store:
        tag_pictures(store, WdTagger(taggers / "wd"), [dataset / "3.png"])
    found = stored_tags(dataset, {"3": dataset / "3.png", "4": dataset / "4.png"})
    assert list(found) == ["3"]
    assert found["3"]["left channel 2"] == pytest.approx(150 / 255, abs=1e-3)
