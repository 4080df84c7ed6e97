"""A base takes less memory on demand, and computes the same: gradient checkpointing, freed parts, attention without its matrix."""

import gc
import weakref
from collections import Counter

import pytest
import torch
import torch.nn.functional as F

from lorasmith.adapters.attach import attach, attach_network
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.errors import RunError
from lorasmith.models.open import open_base
from lorasmith.models.sampling import initial_latents
from lorasmith.models.texts import TextOptions
from tests.models import toys

SIZE = toys.PICTURE
PROMPTS = ["a happy red cat", "the big dog, sad"]


NETWORKS = {
    "plain": LayerSettings(rank=2, alpha=2.0),
    "dropouts": LayerSettings(rank=4, alpha=4.0, dropout=0.2, rank_dropout=0.2, module_dropout=0.2),
}


@pytest.fixture(scope="module", params=toys.quick_and_slow())
def name(request):
    return request.param


@pytest.fixture(scope="module")
def base(name):
    return open_base(toys.toy_folder(name), torch.float32)


@pytest.fixture(scope="module")
def without_checkpointing(base):
    """What each network learned, and what the base said, before `checkpointed`."""
    with torch.no_grad():
        said = answer(base)
    return {network: learned(base, settings) for network, settings in NETWORKS.items()}, said


@pytest.fixture(scope="module")
def checkpointed(base, without_checkpointing):
    base.checkpoint_gradients()
    return base


def answer(base, prompts=PROMPTS):
    """What the base says of noisy pictures; its texts are encoded on the way."""
    timesteps = torch.tensor([100, 700]) if base.diffusion.prediction_type != "flow" else torch.tensor([100.0, 700.0])
    latents = initial_latents(base, [1, 2], SIZE, SIZE)[: len(prompts)]
    return base.predict(latents, timesteps[: len(prompts)], base.encode_texts(prompts, TextOptions()))


def learned(base, settings):
    """The gradients of a network on every part in one step, and the bytes that autograd kept for them."""
    adapters = {
        part: attach_network(module, keys.targets(base.family, part, module), settings, seed=1)
        for part, module in toys.carrying(base).items()
    }
    generator = torch.Generator().manual_seed(0)
    kept: dict[int, int] = {}

    def keep(tensor):
        if not isinstance(tensor, torch.nn.Parameter):
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    try:
        with torch.no_grad():
            for adapter in adapters.values():
                for parameter in adapter.parameters():
                    parameter.normal_(0, 0.05, generator=generator)
        steps = [adapter.at_step(seed=1, step=7) for adapter in adapters.values()]
        for step in steps:
            step.__enter__()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = answer(base).square().mean()
        loss.backward()
        for step in steps:
            step.__exit__(None, None, None)
        return {
            f"{part}.{key}": p.grad for part, adapter in adapters.items() for key, p in adapter.named_parameters() if p.grad is not None
        }, sum(kept.values())
    finally:
        for adapter in adapters.values():
            adapter.detach()


@pytest.mark.parametrize("network", NETWORKS)
def test_checkpointing_keeps_less_and_gives_the_same_gradients(without_checkpointing, checkpointed, network):
    plain, kept = without_checkpointing[0][network]
    again, kept_less = learned(checkpointed, NETWORKS[network])
    assert plain.keys() == again.keys()
    assert {key.partition(".")[0] for key in plain} == set(toys.carrying(checkpointed))
    for key, gradient in plain.items():
        torch.testing.assert_close(again[key], gradient, atol=1e-6, rtol=1e-5, msg=key)
    assert kept_less < 0.5 * kept, f"{kept_less} of {kept} bytes"


def test_each_part_is_checkpointed(checkpointed):
    """Blocks of the denoiser and of every text encoder run a second time when the gradient comes back."""
    base = checkpointed
    for part, module in toys.carrying(base).items():
        adapter = attach(module, keys.targets(base.family, part, module), rank=1, alpha=1.0, seed=1)
        queries = [layer for path, layer in module.named_modules() if path.rpartition(".")[2] in ("to_q", "q_proj", "q")]
        calls, learning = Counter(), set()

        def called(layer, given, _, calls=calls, learning=learning):
            calls.update([layer])
            learning.update([layer] if given[0].requires_grad else [])

        hooks = [layer.register_forward_hook(called) for layer in queries]
        loss = answer(base).square().mean()
        before = Counter(calls)
        loss.backward()
        # Not all: nothing learns before the first block, and nothing reads what some text encoders compute last.
        assert any(calls[layer] == 2 * before[layer] > 0 for layer in queries), part
        if part == base.denoiser:
            assert all(calls[layer] == 2 * before[layer] for layer in learning), "also those that the library's own switch leaves out"
        for hook in hooks:
            hook.remove()
        adapter.detach()


def test_checkpointing_leaves_dropouts_off_and_the_answer_alone(without_checkpointing, checkpointed):
    assert torch.equal(answer(checkpointed), without_checkpointing[1])
    assert not any(m.training for module in checkpointed.parts.values() for m in module.modules() if isinstance(m, torch.nn.Dropout))


def test_freed_parts_give_their_memory_back_and_say_so(name):
    base = open_base(toys.toy_folder(name), torch.float32)  # of its own, since it is changed
    gone = [weakref.ref(p) for part, module in base.parts.items() if part != base.denoiser for p in module.parameters()]
    with torch.no_grad():
        texts = base.encode_texts(PROMPTS, TextOptions())
    counted = base.count_tokens(PROMPTS[0])
    base.free_text_encoders()
    gc.collect()
    assert gone
    assert not any(parameter() is not None for parameter in gone)
    assert list(base.parts) == [base.denoiser]
    with pytest.raises(RunError, match="memory of the base's text encoders was freed"):
        base.encode_texts(PROMPTS, TextOptions())
    assert base.count_tokens(PROMPTS[0]) == counted
    assert base.max_tokens(TextOptions()) > 0

    gone = [weakref.ref(p) for p in base.autoencoder.vae.parameters()]
    base.free_autoencoder()
    gc.collect()
    assert gone
    assert not any(parameter() is not None for parameter in gone)
    with pytest.raises(RunError, match="memory of the base's autoencoder was freed"):
        base.encode_pixels(torch.zeros(1, 3, SIZE, SIZE))
    with pytest.raises(RunError, match="open the base again"):
        base.decode_latents(torch.zeros(1, base.latent_channels, 8, 8))
    assert base.latent_step in (8, 16)
    latents = initial_latents(base, [1, 2], SIZE, SIZE)
    assert torch.isfinite(base.predict(latents, torch.tensor([100, 700]), texts)).all()


def test_every_attention_of_denoiser_and_text_encoders_is_torchs_own(base, monkeypatch):
    """`scaled_dot_product_attention` never builds the whole matrix of attention; each attention calls it once."""
    calls = []
    attend = F.scaled_dot_product_attention
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda *args, **kwargs: calls.append(1) or attend(*args, **kwargs))
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", F.scaled_dot_product_attention)
    softmax = []
    for owner, function in ((F, "softmax"), (torch, "softmax")):
        original = getattr(owner, function)
        monkeypatch.setattr(owner, function, lambda *args, _original=original, **kwargs: softmax.append(1) or _original(*args, **kwargs))
    with torch.no_grad():
        answer(base, PROMPTS[:1])
    modules = [module for part in base.parts.values() for module in part.modules()]
    capped = [module for module in modules if type(module).__name__ == "Gemma2Attention"]  # caps its scores, which torch's own does not
    attentions = [
        module for module in modules
        if type(module).__name__ in (
            "Attention", "FluxAttention", "CLIPAttention", "T5Attention", "Qwen3Attention", "Qwen2_5_VLAttention", "Flux2Attention",
            "Flux2ParallelSelfAttention", "AnimaTextConditionerAttention", "Krea2Attention", "Qwen3VLTextAttention",
        )
    ]  # fmt: skip
    assert len(calls) == len(attentions) > 3
    assert len(softmax) == len(capped)
