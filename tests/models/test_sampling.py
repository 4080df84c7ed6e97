"""Drawing: schedules that end in pure noise, guidance, and emphasis in prompts."""

import numpy as np
import pytest
import torch

from lorasmith.models.architectures.emphasis import parse_emphasis
from lorasmith.models.diffusion import Ddpm
from lorasmith.models.open import open_base
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.models.prompts.states import PromptStates
from lorasmith.models.sampling import generate, initial_latents, sample, sample_latents
from lorasmith.models.texts import TextOptions
from tests.models import toys


def test_zero_terminal_snr_is_entered_at_pure_noise():
    base = open_base(toys.toy_folder("sdxl-v"), torch.float32)
    signal, sigma = base.diffusion.levels(torch.tensor([0, 999]))
    assert (signal[1], sigma[1]) == (0, 1)
    assert [round(base.diffusion.timestep(sigma)) for sigma in base.diffusion.sigmas(5, 16)] == [999, 799, 599, 399, 199]
    assert torch.isfinite(sample_latents(base, ["a cat"], initial_latents(base, [1], 64, 64), steps=5, cfg_scale=5.0)).all()


def test_a_schedule_that_says_little_is_that_of_stable_diffusion():
    plain = Ddpm.from_config({"_class_name": "EulerDiscreteScheduler", "beta_start": 0.00085, "clip_sample": True})
    torch.testing.assert_close(plain.alphas_cumprod[-1].item(), 0.00466, atol=1e-5, rtol=0)
    assert plain.timestep(plain.sigmas(10, 16)[0]) == pytest.approx(901)
    zero_snr = Ddpm.from_config({"rescale_betas_zero_snr": True})
    assert zero_snr.timestep(zero_snr.sigmas(10, 16)[0]) == 999


def test_guidance_one_needs_no_negative_prompt():
    base = open_base(toys.toy_folder("sd1"), torch.float32)
    noise = initial_latents(base, [1], 64, 64)
    plain = sample_latents(base, ["a cat"], noise, steps=2, cfg_scale=1, negative_prompt="dog")
    torch.testing.assert_close(plain, sample_latents(base, ["a cat"], noise, steps=2, cfg_scale=1), atol=0, rtol=0)
    assert not torch.allclose(plain, sample_latents(base, ["a cat"], noise, steps=2, cfg_scale=3), atol=1e-3)


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("a red dress", [("a red dress", 1.0)]),
        ("(red) dress", [("red", 1.1), (" dress", 1.0)]),
        ("((red:1.2)) [dress]", [("red", 1.2 * 1.1), (" ", 1.0), ("dress", 1 / 1.1)]),
        ("a (red, (blue:2) dress:0.5)", [("a ", 1.0), ("red, ", 0.5), ("blue", 1.0), (" dress", 0.5)]),
        (r"rem \(re:zero\)", [("rem (re:zero)", 1.0)]),
        ("(open", [("open", 1.1)]),
        ("closed) and ratio 3:2)", [("closed) and ratio 3:2)", 1.0)]),
        ("", []),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                ("a ", 1.0), ("house", 1.3 * 1.1**2), (" ", 1.1), ("on", 1.0), (" a ", 1.1), ("hill", 0.55), (", sun, ", 1.1),
                ("sky", 1.1**4), (".", 1.1),
            ],
        ),
    ],
)  # fmt: skip
def test_emphasis_is_read_as_the_web_uis_do(text, runs):
    ours = parse_emphasis(text)
    assert [run for run, _ in ours] == [run for run, _ in runs]
    assert [weight for _, weight in ours] == pytest.approx([weight for _, weight in runs])


def test_emphasis_changes_what_is_drawn_only_when_it_is_meant():
    base = open_base(toys.toy_folder("sd1"), torch.float32)
    with torch.no_grad():
        plain, strong = (base.encode_texts([text], TextOptions(weighted=True)).states for text in ("a red cat", "a (red:1.5) cat"))
        read = base.encode_texts(["a red cat"], TextOptions()).states
    assert torch.equal(plain, read)
    torch.testing.assert_close(strong[:, 2], 1.5 * read[:, 2])
    assert torch.equal(strong[:, 3:], read[:, 3:])


def knows(base, clean, monkeypatch):
    """The base predicts perfectly, in its own terms, that every latent is `clean` under noise."""
    diffusion = base.diffusion

    def predict(noisy, timesteps, texts, sizes=None, guidance=None):
        signal, sigma = (level.view(-1, 1, 1, 1) for level in diffusion.levels(timesteps.round().long()))
        noise = (noisy - signal * clean) / sigma
        return noise if diffusion.prediction_type == "epsilon" else signal * noise - sigma * clean

    monkeypatch.setattr(base, "predict", predict)


@pytest.mark.parametrize("sampler", ["ddim", "euler", "dpmpp_2m"])
def test_v_prediction_with_zero_terminal_snr_finds_the_clean_latents(sampler, monkeypatch):
    base = open_base(toys.toy_folder("sdxl-v"), torch.float32)
    assert (base.diffusion.prediction_type, base.diffusion.timestep(base.diffusion.sigmas(4, 16)[0])) == ("v_prediction", 999)
    noise = initial_latents(base, [1, 2], 64, 64)
    clean = 0.5 + torch.randn(noise.shape, generator=torch.Generator().manual_seed(9))
    knows(base, clean, monkeypatch)
    found = sample_latents(base, ["a cat", "a dog"], noise, steps=4, cfg_scale=1, sampler=sampler)
    last = base.diffusion.last_sigma if sampler == "ddim" else 0.0
    torch.testing.assert_close(found, clean, rtol=0, atol=last * 5 + 1e-3)


def test_clip_skip_is_that_of_the_request():
    base = open_base(toys.toy_folder("sd1"), torch.float32)
    states = {skip: PromptStates(base, TextOptions(clip_skip=skip, prompt=True)) for skip in (1, 2)}
    requests = [PictureRequest("red cat", steps=2, clip_skip=skip).completed(base) for skip in (1, 2)]
    pictures = dict(generate(base, requests, states))
    (second_last,) = sample(base, ["red cat"], [1], steps=2, texts=TextOptions(clip_skip=2))
    first, second, alone = (np.asarray(picture, np.int16) for picture in (pictures[0], pictures[1], second_last))
    assert np.abs(second - alone).max() <= 1  # rounding to 8 bits, of sums in another order where a batch is of another size
    assert np.abs(first - alone).max() > 1
