"""What families differ in and bases choose from: how latents are normalised, how far sigmas are shifted, how guidance combines."""

import math

import numpy as np
import pytest
import torch

from lorasmith.models.autoencoder import ChannelwiseAutoencoder, PatchedAutoencoder, ScaledAutoencoder
from lorasmith.models.diffusion import Flow
from lorasmith.models.guidance import classifier_free, norm_kept
from lorasmith.models.shift import FixedShift, LineShift, shift_of


def generator():
    return torch.Generator().manual_seed(0)


# -- latents ----------------------------------------------------------------------------------------------------------------


def scaled():
    from diffusers import AutoencoderKL

    return ScaledAutoencoder(
        AutoencoderKL(
            block_out_channels=(4, 4), down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=2, latent_channels=4, scaling_factor=0.3611, shift_factor=0.1159,
        )
    )  # fmt: skip


def channelwise():
    from diffusers import AutoencoderKLQwenImage

    return ChannelwiseAutoencoder(
        AutoencoderKLQwenImage(
            base_dim=4, z_dim=4, dim_mult=[1, 1], num_res_blocks=1, temperal_downsample=[False],
            latents_mean=[0.1, -0.2, 0.3, 0.0], latents_std=[1.5, 0.5, 1.0, 2.0],
        )
    )  # fmt: skip


def patched():
    from diffusers import AutoencoderKLFlux2

    vae = AutoencoderKLFlux2(
        block_out_channels=(4, 4), down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=2, latent_channels=4,
    )  # fmt: skip
    vae.bn.running_mean.uniform_(-1, 1, generator=generator())
    vae.bn.running_var.uniform_(0.5, 2, generator=generator())
    return PatchedAutoencoder(vae)


def direct(autoencoder, pixels):
    """What the module itself makes of pixels, normalised by hand as diffusers' pipelines do."""
    vae = autoencoder.vae
    match autoencoder:
        case ScaledAutoencoder():
            return (vae.encode(pixels).latent_dist.mode() - 0.1159) * 0.3611
        case ChannelwiseAutoencoder():
            z = vae.encode(pixels[:, :, None]).latent_dist.mode()[:, :, 0]
            return torch.stack([(z[:, c] - vae.config.latents_mean[c]) / vae.config.latents_std[c] for c in range(4)], dim=1)
        case _:
            z = vae.encode(pixels).latent_dist.mode()
            n, c, h, w = z.shape
            folded = z.view(n, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(n, 4 * c, h // 2, w // 2)
            std = torch.sqrt(vae.bn.running_var.view(1, -1, 1, 1) + vae.config.batch_norm_eps)
            return (folded - vae.bn.running_mean.view(1, -1, 1, 1)) / std


@pytest.mark.parametrize(("make", "channels", "step"), [(scaled, 4, 2), (channelwise, 4, 2), (patched, 16, 4)])
@torch.no_grad()
def test_latents_are_normalised_as_their_pipelines_do_and_come_back(make, channels, step):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        autoencoder = make()
    autoencoder.vae.eval()
    pixels = torch.rand(2, 3, 16, 16, generator=generator()) * 2 - 1
    latents = autoencoder.encode(pixels)
    assert (autoencoder.channels, autoencoder.step) == (channels, step)
    assert latents.shape == (2, channels, 16 // step, 16 // step)
    torch.testing.assert_close(latents, direct(autoencoder, pixels))
    back = autoencoder.decode(latents)
    assert back.shape == pixels.shape
    assert torch.equal(autoencoder.encode(pixels), latents), "the same picture gives the same latents"


# -- shifts -----------------------------------------------------------------------------------------------------------------


def test_a_line_goes_through_its_two_points_and_on_beyond_them():
    line = LineShift((256, 0.5), (8192, 0.9))
    assert (line.mu(256), line.mu(8192)) == pytest.approx((0.5, 0.9))
    assert line.mu(16128) == pytest.approx(1.3)


def test_a_fixed_shift_is_the_same_for_every_picture():
    assert [math.exp(FixedShift(3.0).mu(tokens)) for tokens in (64, 4096)] == pytest.approx([3.0, 3.0])


@pytest.mark.parametrize(
    "config",
    [
        {"shift": 3.0},
        {"shift": 1.0, "use_dynamic_shifting": True},
        {"use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 0.9, "max_image_seq_len": 8192, "shift_terminal": 0.02},
    ],
)
def test_a_schedule_is_shifted_as_by_diffusers(config):
    from diffusers import FlowMatchEulerDiscreteScheduler

    theirs = FlowMatchEulerDiscreteScheduler(**config)
    dynamic = {"mu": shift_of(config).mu(1024)} if config.get("use_dynamic_shifting") else {}
    theirs.set_timesteps(sigmas=np.linspace(1.0, 1 / 8, 8), **dynamic)
    ours = torch.tensor([sigma / (1 + sigma) for sigma in Flow(config).sigmas(8, 1024)])
    torch.testing.assert_close(ours, theirs.sigmas[:-1], atol=1e-6, rtol=1e-6)


# -- guidance ---------------------------------------------------------------------------------------------------------------


def test_guidance_of_one_is_the_prompt_alone():
    negative, positive = torch.randn(2, 2, 4, 8, 8, generator=generator(), dtype=torch.float64)
    for combine in (classifier_free, norm_kept):
        torch.testing.assert_close(combine(negative, positive, 1.0), positive)


def test_the_kept_norm_is_that_of_each_token():
    negative, positive = torch.randn(2, 2, 4, 8, 8, generator=generator(), dtype=torch.float64)
    unfold = torch.nn.functional.pixel_unshuffle
    plain, kept = classifier_free(negative, positive, 4.0), norm_kept(negative, positive, 4.0)
    torch.testing.assert_close(unfold(kept, 2).norm(dim=1), unfold(positive, 2).norm(dim=1))
    torch.testing.assert_close(
        torch.nn.functional.cosine_similarity(unfold(kept, 2), unfold(plain, 2)), torch.ones(2, 4, 4, dtype=torch.float64)
    )
