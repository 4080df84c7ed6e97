"""Pictures become larger: by Lanczos always, by an ESRGAN network where spandrel is installed."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from lorasmith.curation.chosen_pictures import dataset_pictures
from lorasmith.curation.mend.mend import mend, undo
from lorasmith.curation.mend.proposals import Proposal, propose
from lorasmith.curation.mend.recipes import recipes
from lorasmith.curation.mend.steps import Upscale
from lorasmith.errors import DatasetError, InputError
from lorasmith.findings import MendChange
from lorasmith.images import upscale
from lorasmith.images.upscale import in_tiles, lanczos, open_upscaler, size_from, size_within
from tests.photographs import photograph

needs_spandrel = pytest.mark.skipif(not upscale.can_use_networks(), reason="spandrel is not installed (an extra, for upscaling networks)")


def test_sizes_keep_the_shape():
    assert size_within((4000, 3000), 3000) == (3000, 2250)
    assert size_within((400, 300), 3000) == (400, 300)
    assert size_within((9000, 1), 3000) == (3000, 1)
    assert size_from((400, 300), 512) == (683, 512)
    assert size_from((600, 512), 512) == (600, 512)


def test_lanczos_and_back_is_nearly_the_picture():
    cat = photograph("chelsea")
    there = lanczos(cat, (902, 600))
    assert np.abs(np.asarray(lanczos(there, cat.size), float) - np.asarray(cat, float)).mean() < 2


def test_tiles_have_no_seams():
    pixels = torch.rand(1, 3, 70, 50)

    def run(part):  # sees two pixels around each
        return torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(part, 5, 1, 2, count_include_pad=False), scale_factor=2)

    assert torch.allclose(in_tiles(pixels, run, 2, tile=24, overlap=4), run(pixels))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A file with an ESRGAN of random weights: twice as large, one small block."""
    upscale._spandrel()
    from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    save_file(RRDBNet(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=2).state_dict(), file)
    return file


@needs_spandrel
def test_an_esrgan_file_upscales_without_torchvision(network, tmp_path):
    opened = open_upscaler(network)
    assert (opened.scale, opened.architecture) == (2, "ESRGAN")
    assert opened(photograph("chelsea").resize((60, 40))).size == (120, 80)
    assert "torchvision" not in sys.modules


@needs_spandrel
def test_a_small_picture_is_upscaled_by_the_network_and_undone(network, tmp_path):
    photograph("chelsea").resize((60, 40)).save(tmp_path / "small.png")
    before = (tmp_path / "small.png").read_bytes()
    mend(tmp_path, propose(tmp_path, dataset_pictures(tmp_path), [MendChange("upscale", {"pixels": 100, "network": network})]))
    with Image.open(tmp_path / "small.png") as image:
        assert image.size == (150, 100)
    assert recipes(tmp_path)[0].words == "small.png: upscaled to 150 x 100 with tiny.safetensors"
    undo(tmp_path, recipes(tmp_path))
    assert (tmp_path / "small.png").read_bytes() == before


@needs_spandrel
def test_another_file_is_no_network(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(DatasetError, match="not an upscaling network"):
        open_upscaler(tmp_path / "other.safetensors")
    with pytest.raises(DatasetError, match="cannot be opened"):
        open_upscaler(tmp_path / "missing.pth")


@pytest.fixture
def without_spandrel(monkeypatch):
    monkeypatch.setattr(upscale, "can_use_networks", lambda: False)


COMMAND = "python -m pip install --no-deps spandrel einops"


@pytest.mark.usefixtures("without_spandrel")
def test_without_spandrel_there_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match=COMMAND):
        open_upscaler(tmp_path / "any.pth")


@pytest.mark.usefixtures("without_spandrel")
def test_without_spandrel_no_picture_is_looked_at_to_be_enlarged_by_a_network(tmp_path):
    photograph("chelsea").resize((60, 40)).save(tmp_path / "small.png")
    looked_at = []
    enlarge = MendChange("upscale", {"pixels": 100, "network": "x.safetensors"})
    with pytest.raises(InputError, match=COMMAND) as refused:
        propose(tmp_path, dataset_pictures(tmp_path), [enlarge], lambda done, of: looked_at.append(done))
    assert refused.value.code == "upscaler.not_installed"
    assert looked_at == []
    (proposal,) = propose(tmp_path, dataset_pictures(tmp_path), [MendChange("upscale", {"pixels": 100})])
    assert proposal.after == ((150, 100),)


@pytest.mark.usefixtures("without_spandrel")
def test_without_spandrel_nothing_is_mended_where_one_picture_needs_a_network(tmp_path):
    for name in ("a.png", "b.png"):
        photograph("chelsea").resize((60, 40)).save(tmp_path / name)
    first, second = dataset_pictures(tmp_path)
    by_network = Proposal(second, (Upscale(size=(150, 100), network="x.safetensors", content="0"),))
    turned, *_ = propose(tmp_path, [first], [MendChange("rotate", {"degrees": 90})])
    with pytest.raises(InputError, match=COMMAND):
        mend(tmp_path, [turned, by_network])
    assert recipes(tmp_path) == []
