"""What all tests share: one tiny random base model a session, one small dataset."""

import functools
import gc
import os
import random
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
# One thread: another number adds up in another order, and runs in several processes are compared with runs in one. It must be set
# before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings as hypothesis_settings

from tests.long_files import LONG_FILES

# Machines are slow at times; what is checked here is right or wrong, not fast.
hypothesis_settings.register_profile("patient", deadline=None)
hypothesis_settings.load_profile("patient")

TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """The longest files begin; the others follow as they were."""
    places = {TESTS / name: place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory):
    """What the program remembers about files goes into a folder of the tests' own: the user's is neither read nor filled."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LORASMITH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module", autouse=True)
def less_search_for_garbage():
    """Within a file's tests the search for garbage leaves out what was there before (thousands of tests, all that torch imports), and comes
    less often: it took a tenth of the time."""
    gc.set_threshold(10_000)
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def toy_base(tmp_path_factory):
    """A diffusers folder of a Stable Diffusion 1.x shaped model with random weights, 32 x 32 pixels native."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from lorasmith.demo.build.text_encoder import make_tokenizer

    folder = tmp_path_factory.mktemp("toy-base")
    torch.manual_seed(0)
    tokenizer = make_tokenizer(folder / "tokenizer")
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=32, attention_head_dim=2,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16), latent_channels=4, norm_num_groups=4, sample_size=32, layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
    )  # fmt: skip
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.eos_token_id,
        )
    )  # fmt: skip
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1
    )
    StableDiffusionPipeline(
        vae=vae, text_encoder=text_encoder, tokenizer=tokenizer, unet=unet, scheduler=scheduler, safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def creatures(tmp_path_factory):
    """Five pictures of two shapes with captions, as a plain folder."""
    from lorasmith.demo.drawing import draw_scene
    from lorasmith.demo.world import random_scene, tag_caption

    folder = tmp_path_factory.mktemp("creatures")
    for i in range(5):
        scene = random_scene(500 + i)
        picture = draw_scene(scene)
        if i > 2:
            picture = picture.crop((0, 8, 64, 56))
        picture.save(folder / f"{i}.png")
        (folder / f"{i}.txt").write_text("zorvex, " + tag_caption(scene, random.Random(i)), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def settings_with_cache(toy_base, creatures):
    """Settings of a small run over `creatures` with this folder for its cache; sections given as dicts are merged in."""
    from lorasmith.training.settings.tree import settings_from

    def make(cache, **sections):
        tree = {
            "name": "toy",
            "base": {"path": str(toy_base)},
            "datasets": [{"path": str(creatures)}],
            "buckets": {"resolution": 32, "min_bucket_reso": 16, "max_bucket_reso": 64, "bucket_reso_steps": 8},
            "captions": {"trigger": "zorvex", "shuffle_caption": True, "keep_tokens": 1},
            "network": {"rank": 2},
            "training": {"epochs": 2, "batch_size": 2},
            "optimizer": {"learning_rate": 1e-3},
            "cache": str(cache),
        }
        for name, value in sections.items():
            tree[name] = {**tree[name], **value} if isinstance(value, dict) and name in tree else value
        return settings_from(tree)

    return make


@pytest.fixture
def settings_for(settings_with_cache, tmp_path):
    """Settings of a small run over `creatures`, with a cache of the test's own; sections given as dicts are merged in."""
    return functools.partial(settings_with_cache, tmp_path / "cache")


@pytest.fixture(scope="session")
def s3():
    """fsspec's view of a real S3 server on loopback, with a bucket `bucket`; `s3://bucket/...` is there for the program, too."""
    import fsspec

    from tests.store_server import s3_server

    with s3_server():
        files = fsspec.filesystem("s3", use_listings_cache=False)
        files.mkdir("bucket")
        yield files
