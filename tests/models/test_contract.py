"""What every family keeps: one suite over all of them, each at toy size, opened through the registry."""

import pytest
import torch

from lorasmith.adapters.attach import attach
from lorasmith.adapters.files import names as keys
from lorasmith.errors import SettingsError
from lorasmith.models.base import SizeConditioning
from lorasmith.models.diffusion import TARGETS, add_noise, clean
from lorasmith.models.families import FAMILIES
from lorasmith.models.open import describe, open_base
from lorasmith.models.patches import pack, unpack
from lorasmith.models.sampling import initial_latents, sample, sample_latents
from lorasmith.models.texts import EncodedTexts, TextOptions
from lorasmith.models.tokenizers import caption_tokenizers, tokens_read
from lorasmith.training.forecast.rehearsal import blank_base
from lorasmith.training.forecast.watch import Watch
from lorasmith.training.learner.learner import Learner
from lorasmith.training.learner.text_states import TextStates
from lorasmith.training.objective.batch_loss import PreparedBatch
from lorasmith.training.settings.tree import settings_from
from lorasmith.training.step import step
from tests.models import toys

PROMPTS = ["a happy red cat", "the big dog, sad"]
SIZE = toys.PICTURE


@pytest.fixture(scope="module", params=toys.quick_and_slow())
def name(request):
    return request.param


@pytest.fixture(scope="module")
def base(name):
    return open_base(toys.toy_folder(name), torch.float32)


def attach_all(base, rank=4):
    """A LoRA on every part that can carry one."""
    return {
        part: attach(module, keys.targets(base.family, part, module), rank, float(rank), seed=1)
        for part, module in toys.carrying(base).items()
    }


def test_there_is_a_toy_of_every_family():
    assert {toys.family_of(toy) for toy in toys.TOYS} == set(FAMILIES)


def test_an_opened_base_is_frozen_and_knows_itself(base, name):
    assert base.family == toys.family_of(name)
    assert base.denoiser in base.parts
    assert "vae" not in base.parts
    assert set(base.fingerprints) == {*base.parts, "vae"}
    assert base.native_resolution == toys.NATIVE.get(base.family, SIZE)
    assert SIZE % base.pixel_step == 0
    for module in base.parts.values():
        assert not module.training
        assert not any(p.requires_grad or p.is_meta for p in module.parameters())


def test_captions_become_states_of_the_width_that_the_denoiser_reads(base):
    with torch.no_grad():
        texts = base.encode_texts(PROMPTS, TextOptions())
        alone = base.encode_texts(PROMPTS[1:], TextOptions())
    config = base.parts[base.denoiser].config
    width = next(
        config[name]
        for name in ("joint_attention_dim", "cap_feat_dim", "text_embed_dim", "text_hidden_dim", "cross_attention_dim")
        if name in config
    )
    assert (len(texts), texts.states.shape[-1]) == (2, width)
    assert (texts.pooled is not None) == (base.family in toys.POOLED)
    assert torch.isfinite(texts.states).all()
    torch.testing.assert_close(texts[1:].states, alone.states, atol=1e-5, rtol=1e-4)
    both = EncodedTexts.cat([texts[:1], alone])
    torch.testing.assert_close(both.states, texts.states, atol=1e-5, rtol=1e-4)
    if texts.pooled is not None:
        torch.testing.assert_close(both.pooled, texts.pooled, atol=1e-5, rtol=1e-4)


def test_longer_captions_are_read_where_they_may_be(base):
    long = ", ".join(["happy red cat"] * 40)
    lengths = [n for n in base.defaults.max_token_lengths if n <= 225] if base.denoiser == "unet" else [16, 24]
    with torch.no_grad():
        states = {n: base.encode_texts([long, "cat"], TextOptions(max_token_length=n)).states for n in lengths}
    assert base.count_tokens(long) > max(base.max_tokens(TextOptions(max_token_length=n)) for n in lengths) / 2
    for n, said in states.items():
        assert said.shape[1] == (n + 2 if base.denoiser == "unet" else n + toys.CLIP_TOKENS.get(base.family, 0))
        most = base.max_tokens(TextOptions(max_token_length=n))
        assert most == n if base.denoiser == "unet" else 0 < most < n
    if base.denoiser == "unet":
        torch.testing.assert_close(states[150][:, 1:76], states[75][:, 1:76], atol=1e-5, rtol=1e-4)


def test_what_is_read_of_a_caption_is_known_before_the_base_is_opened(base, name):
    description = describe(toys.toy_folder(name))
    tokenizers = caption_tokenizers(description)
    lengths = base.defaults.max_token_lengths
    assert tokens_read(description, tokenizers) == base.max_tokens(TextOptions())
    if description.record.template is not None or description.record.reads_breaks:
        for length in lengths:
            assert tokens_read(description, tokenizers, length) == base.max_tokens(TextOptions(max_token_length=length))


def test_options_that_a_family_has_no_use_for_are_refused(base):
    wrong = [TextOptions(clip_skip=20)]
    wrong += [TextOptions(max_token_length=6000)]
    wrong += [TextOptions(weighted=True)] if base.denoiser == "transformer" else []
    wrong += [TextOptions(mask_t5=True)] if base.family not in toys.MASKS_T5 else []
    for options in wrong:
        with pytest.raises(SettingsError, match=r"base\.\w+ is"):
            base.encode_texts(["cat"], options)


def test_pictures_become_latents_and_come_back(base):
    pixels = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    latents = base.encode_pixels(pixels)
    assert latents.shape == (2, base.latent_channels, SIZE // base.latent_step, SIZE // base.latent_step)
    assert torch.equal(latents, base.encode_pixels(pixels)), "the same picture gives the same latent"
    vae = base.autoencoder.vae
    frames = "z_dim" in vae.config  # an autoencoder for videos
    with torch.no_grad():
        posterior = vae.encode(pixels[:, :, None] if frames else pixels).latent_dist.mode()
        direct = vae.decode(posterior).sample.clamp(-1, 1)
    torch.testing.assert_close(base.decode_latents(latents), direct[:, :, 0] if frames else direct, atol=1e-4, rtol=1e-3)
    if "scaling_factor" in vae.config:  # tests/models/test_latents_and_shifts.py has the others
        torch.testing.assert_close(latents, (posterior - (vae.config.shift_factor or 0)) * vae.config.scaling_factor)


def test_a_perfect_prediction_gives_back_the_clean_latents(base):
    generator = torch.Generator().manual_seed(0)
    latents, noise = torch.randn(3, 4, 8, 8, generator=generator), torch.randn(3, 4, 8, 8, generator=generator)
    kind = base.diffusion.prediction_type
    timesteps = torch.tensor([10.0, 500.0, 990.0]) if kind == "flow" else torch.tensor([10, 500, 900 if kind == "epsilon" else 999])
    levels = base.diffusion.levels(timesteps)
    perfect = TARGETS[kind](latents, noise, levels)
    torch.testing.assert_close(clean(kind, add_noise(latents, noise, levels), perfect, levels), latents, atol=1e-3, rtol=1e-3)


def test_gradients_reach_an_adapter_on_every_part(base):
    adapters = attach_all(base)
    try:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for adapter in adapters.values():
                for parameter in adapter.parameters():
                    parameter.normal_(0, 0.05, generator=generator)
        texts = base.encode_texts(PROMPTS, TextOptions())
        timesteps = torch.tensor([100, 700]) if base.diffusion.prediction_type != "flow" else torch.tensor([100.0, 700.0])
        prediction = base.predict(initial_latents(base, [1, 2], SIZE, SIZE), timesteps, texts)
        assert prediction.shape == (2, base.latent_channels, SIZE // base.latent_step, SIZE // base.latent_step)
        prediction.square().mean().backward()
        for part, adapter in adapters.items():
            gradients = [p.grad for p in adapter.parameters() if p.grad is not None]
            assert gradients, part
            assert any(g.abs().max() > 0 for g in gradients), part
        assert all(p.grad is None for module in base.parts.values() for p in module.parameters())
    finally:
        for adapter in adapters.values():
            adapter.detach()


def test_the_same_seed_gives_the_same_picture_whatever_is_drawn_beside_it(base):
    drawn = {"steps": 2, "width": SIZE, "height": SIZE}
    together = sample(base, PROMPTS, [7, 8], **drawn)
    again = sample(base, PROMPTS, [7, 8], **drawn)
    alone = sample(base, PROMPTS[1:], [8], **drawn)
    assert [picture.tobytes() for picture in together] == [picture.tobytes() for picture in again]
    assert max(abs(a - b) for a, b in zip(together[1].tobytes(), alone[0].tobytes(), strict=True)) <= 1
    assert together[0].tobytes() != together[1].tobytes()


@pytest.mark.parametrize("name", toys.TOYS, indirect=True)
def test_diffusers_own_pipeline_draws_the_same(base, name):
    latents = initial_latents(base, [3, 4], SIZE, SIZE)
    pipeline = toys.pipeline_of(name)
    # Of steps that do not divide 1000, diffusers' DDIM steps beside its own timesteps.
    size = {"num_inference_steps": 4, "width": SIZE, "height": SIZE, "output_type": "latent"}
    told = {"guidance_scale": toys.PIPELINE_GUIDANCE.get(base.family, 4.0), "latents": latents}
    if base.family == "qwen_image":
        told["true_cfg_scale"] = told.pop("guidance_scale")
    if base.family == "flux":
        ours = sample_latents(base, PROMPTS, latents, steps=4, cfg_scale=1, guidance=3.0)
    elif base.family == "klein":  # its negative prompt is empty, and it gives back what its autoencoder reads
        ours = base.decode_latents(sample_latents(base, PROMPTS, latents, steps=4, cfg_scale=4.0))
        theirs = pipeline(prompt=list(PROMPTS), **told, **size | {"output_type": "pt"}).images * 2 - 1
        assert (ours - theirs).abs().max() < 1e-3
        return
    else:
        ours = sample_latents(base, PROMPTS, latents, steps=4, cfg_scale=4.0, negative_prompt="blue")
        told["negative_prompt"] = ["blue"] * 2
    if base.family == "lumina2":  # its pipeline scales every row of latents back, which no other program does
        told["cfg_normalization"] = False
    if base.family in toys.MASKS_T5:
        told["max_sequence_length"] = toys.T5_TOKENS
    if base.family in toys.PACKED:
        theirs = unpack(pipeline(list(PROMPTS), **told | {"latents": pack(latents)}, **size).images, *latents.shape[-2:])
    else:
        theirs = pipeline(list(PROMPTS), **told, **size).images
    assert (ours - theirs).abs().max() < 1e-3
    assert (ours - latents).abs().max() > 0.1, "something was drawn"


def test_six_steps_lower_the_loss_on_a_batch(base, name):
    settings = settings_from({
        "base": {"path": str(toys.toy_folder(name))}, "datasets": [{"path": "."}], "training": {"max_train_steps": 6},
    })  # fmt: skip
    adapters = attach_all(base)
    try:
        optimizer = torch.optim.AdamW([p for adapter in adapters.values() for p in adapter.parameters()], lr=1e-2)
        sizes = (SizeConditioning((100, 80), (4, 0), (SIZE, SIZE)), SizeConditioning.uncropped(SIZE, SIZE))
        batch = PreparedBatch(0.5 * initial_latents(base, [1, 2], SIZE, SIZE), tuple(PROMPTS), ("0.png", "1.png"), sizes)
        texts = TextStates(base, TextOptions(), trained=True)
        learner = Learner(base, adapters, optimizer, texts, settings)
        losses = [step(learner, [batch], number=0).loss for _ in range(6)]
        assert losses[-1] < 0.98 * losses[0], losses
        assert all(torch.isfinite(torch.tensor(losses)))
    finally:
        for adapter in adapters.values():
            adapter.detach()


def test_captions_are_encoded_once_where_no_text_encoder_trains(base):
    kept = TextStates(base, TextOptions(), trained=False)
    first, again = kept(PROMPTS), kept(PROMPTS[::-1])
    assert not first.states.requires_grad
    turned = again.tensors()
    assert first.tensors().keys() == turned.keys()
    for name, tensor in first.tensors().items():
        assert torch.equal(tensor, turned[name].flip(0))


def test_the_denoiser_asks_for_attention_as_the_fast_kernels_want_it(name, monkeypatch):
    """Flash and cuDNN take half precision, numbers that are next to each other, and no mask; one picture needs none."""
    base, asked = blank_base(describe(toys.toy_folder(name)), torch.bfloat16), []
    with Watch() as device, device.as_on_a_device(), torch.no_grad(), monkeypatch.context() as patched:
        texts = base.encode_texts(PROMPTS[:1], TextOptions())
        rehearsed = torch.nn.functional.scaled_dot_product_attention

        def attention(query, key, value, attn_mask=None, **options):
            asked.append((attn_mask, {(tensor.dtype, tensor.stride(-1)) for tensor in (query, key, value)}))
            return rehearsed(query, key, value)

        patched.setattr(torch.nn.functional, "scaled_dot_product_attention", attention)
        base.predict(torch.empty(1, base.latent_channels, 8, 8, device="meta"), torch.zeros(1), texts)
    assert asked
    assert all(mask is None and tensors == {(torch.bfloat16, 1)} for mask, tensors in asked)
